//! What criterion left on disk: one folder for each measurement, with its names and its estimates as JSON.

use std::path::Path;

use serde_json::Value;

use crate::step::Failure;

/// No piece of work takes a second: the benchmarks say so of what they could not measure.
const VOID: f64 = 1e9;

/// One piece of work, and everybody who was measured doing it.
#[derive(Debug)]
pub(super) struct Group {
    /// `protocol/what is done`.
    pub(super) name: String,
    /// Ours first, then floors, then rivals, each from fast to slow.
    pub(super) rows: Vec<Row>,
}

/// One measurement.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) who: Who,
    pub(super) name: String,
    /// The median, in nanoseconds.
    pub(super) ns: f64,
    /// Ours divided by this: below one, ours is the faster. `None` for ours itself.
    pub(super) ratio: Option<f64>,
    /// Allocations of one piece of work, where they were counted.
    pub(super) allocations: Option<f64>,
}

/// Told by the names that the benchmarks give: `ginnel`, `floor: ...`, or a rival's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Ours,
    Floor,
    Rival,
}

/// All measurements under `folder`, and what the pass that counts allocations printed.
pub(super) fn read(folder: &Path, allocations: &str) -> Result<Vec<Group>, Failure> {
    let mut groups: Vec<Group> = Vec::new();
    visit(folder, &mut groups)?;
    if let Some(group) = groups.iter().find(|group| group.rows.iter().all(|row| row.who != Who::Ours)) {
        return Err(format!("'{}' has no measurement of ours", group.name));
    }
    leave_out_void(&mut groups);
    for group in &mut groups {
        group.rows.sort_by(|a, b| a.who.cmp(&b.who).then(a.ns.total_cmp(&b.ns)));
        let ours = group.rows.first().map(|row| row.ns);
        for row in &mut group.rows {
            row.ratio = ours.filter(|_| row.who != Who::Ours).map(|ours| ours / row.ns);
            row.allocations = counted(allocations, &group.name, &row.name);
        }
    }
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    if groups.is_empty() {
        return Err(format!("the benchmarks left nothing in {}", folder.display()));
    }
    Ok(groups)
}

/// A relay that loses too much has no time for each hop: its row is left out, and that is said. Without ours there is no group.
fn leave_out_void(groups: &mut Vec<Group>) {
    for group in groups.iter_mut() {
        let void = group.rows.extract_if(.., |row| row.ns >= VOID);
        for Row { name, .. } in void {
            eprintln!("  {}, {name}: left out, too much was lost", group.name);
        }
    }
    groups.retain(|group| group.rows.iter().any(|row| row.who == Who::Ours));
}

/// A line of that pass: group, contender and count, with tabs between them.
fn counted(allocations: &str, group: &str, name: &str) -> Option<f64> {
    allocations.lines().find_map(|line| {
        let mut cells = line.split('\t');
        let named = cells.next()? == group && cells.next()? == name;
        named.then(|| cells.next()?.parse().ok())?
    })
}

fn visit(folder: &Path, groups: &mut Vec<Group>) -> Result<(), Failure> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()) {
        if path.ends_with("new") {
            add(&path, groups)?;
        } else {
            visit(&path, groups)?;
        }
    }
    Ok(())
}

fn add(folder: &Path, groups: &mut Vec<Group>) -> Result<(), Failure> {
    let (names, estimates) = (json(&folder.join("benchmark.json"))?, json(&folder.join("estimates.json"))?);
    let missing = |what: &str| format!("{} says no {what}", folder.display());
    let text = |key: &str| names[key].as_str().map(str::to_string).ok_or_else(|| missing(key));
    let (group, name) = (text("group_id")?, text("function_id")?);
    let ns = estimates["median"]["point_estimate"].as_f64().ok_or_else(|| missing("median"))?;
    let who = match name.as_str() {
        "ginnel" => Who::Ours,
        floor if floor.starts_with("floor") => Who::Floor,
        _ => Who::Rival,
    };
    let row = Row { who, name, ns, ratio: None, allocations: None };
    match groups.iter_mut().find(|known| known.name == group) {
        Some(known) => known.rows.push(row),
        None => groups.push(Group { name: group, rows: vec![row] }),
    }
    Ok(())
}

fn json(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_comes_first_and_the_others_say_what_ours_takes() {
        let folder = crate::step::scratch().join("results-test");
        let _ = std::fs::remove_dir_all(&folder);
        for (dir, name, ns) in
            [("a", "rival 2.0", 400.0), ("b", "floor: a hash", 100.0), ("c", "ginnel", 200.0)]
        {
            let at = folder.join("stun_x").join(dir).join("new");
            std::fs::create_dir_all(&at).unwrap();
            let names = serde_json::json!({ "group_id": "stun/x", "function_id": name });
            let estimates = serde_json::json!({ "median": { "point_estimate": ns } });
            std::fs::write(at.join("benchmark.json"), names.to_string()).unwrap();
            std::fs::write(at.join("estimates.json"), estimates.to_string()).unwrap();
        }
        let printed = "stun/y\tginnel\t7\nstun/x\tginnel\t0\nstun/x\trival 2.0\t1.5\n";
        let groups = read(&folder, printed).unwrap();
        let rows: Vec<_> =
            groups[0].rows.iter().map(|row| (row.name.as_str(), row.ratio, row.allocations)).collect();
        assert_eq!(
            rows,
            [
                ("ginnel", None, Some(0.0)),
                ("floor: a hash", Some(2.0), None),
                ("rival 2.0", Some(0.5), Some(1.5))
            ]
        );
        std::fs::remove_dir_all(folder.join("stun_x/c")).unwrap();
        assert!(read(&folder, printed).is_err(), "without ours there is nothing to compare");
    }

    #[test]
    fn what_could_not_be_measured_is_left_out() {
        let row =
            |name: &str, who, ns| Row { who, name: name.to_string(), ns, ratio: None, allocations: None };
        let group = |name: &str, rows| Group { name: name.to_string(), rows };
        let mut groups = vec![
            group("lossy rival", vec![row("ginnel", Who::Ours, 5e3), row("rival", Who::Rival, 1e9)]),
            group("lossy ours", vec![row("ginnel", Who::Ours, 1e9), row("rival", Who::Rival, 5e3)]),
        ];
        leave_out_void(&mut groups);
        let left: Vec<_> =
            groups.iter().flat_map(|group| group.rows.iter().map(|row| (&*group.name, &*row.name))).collect();
        assert_eq!(left, [("lossy rival", "ginnel")]);
    }
}
