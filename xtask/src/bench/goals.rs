//! What is asked of a measurement: that ours takes at most so much of a floor's or a rival's time, and allocates nothing.

use super::results::{Group, Row, Who};

/// "No slower" is met up to here: two runs of the same code differ by as much.
pub(super) const NO_SLOWER: f64 = 1.05;

/// A part of a group's name, the front of a contender's name (none: every rival), and the most that ours may take of it.
type Goal = (&'static str, &'static str, f64);
const GOALS: [Goal; 17] = [
    ("stun/parse, read 4", "floor: three", 1.35),
    ("stun/parse, read 4", "is ", 0.65),
    ("stun/parse, verify fingerprint", "turn-server", 1.1),
    ("stun/build with both", "floor: three", 1.4),
    ("stun/plain response", "", NO_SLOWER),
    ("stun/ChannelData", "", NO_SLOWER),
    ("stun/Send indication", "", NO_SLOWER),
    ("turn/relay, 1 allocations, one hot client, client", "turn-server-proto", 0.43),
    ("turn/relay, 1 allocations", "turn-server-proto", NO_SLOWER),
    // It looks through all of its clients: what is flat is there at once.
    ("turn/relay, 5,000 allocations", "turn-server-proto", 0.01),
    ("turn/relay", "turn-server-proto", NO_SLOWER),
    ("the next wake-up", "turn-server-proto", NO_SLOWER),
    ("Aes128CmHmacSha1_80/20", "rtc-srtp", 0.75),
    ("Aes128CmHmacSha1_80/1200", "", NO_SLOWER),
    // Asked at every number of clients, though its one socket serves all flows by one call, as a relay cannot: what a relay
    // of so many flows could reach at the best is the forwarder's, beside it.
    ("sockets/flows", "floor: batched echo", 1.15),
    ("sockets/runs", "coturn", 0.5),
    // The floor of the backend in use.
    ("AeadAes128Gcm", "floor: RustCrypto", 1.15),
];

/// A part of a group's name, and the most nanoseconds that ours may take, on any ordinary machine.
const TIMES: [(&str, f64); 3] = [
    ("one hot client, client to peer", 60.0),
    ("100,000 allocations, a random client", 250.0),
    ("idle allocations, the next wake-up", 100.0),
];
/// What one hot client costs is the same with any number of allocations: the largest is at most so many times the smallest.
const FLAT: f64 = 1.2;

/// What is asked of a row, and whether it is met; `None` where nothing is.
pub(super) fn verdict(group: &Group, row: &Row) -> Option<(String, bool)> {
    let (part, _, most) = *GOALS.iter().find(|goal| concerns(goal, group, row))?;
    if row.who == Who::Ours {
        let none = row.allocations? < 0.05;
        return Some(match TIMES.iter().find(|(part, _)| group.name.contains(part)) {
            None => ("0 allocations".to_string(), none),
            Some((_, most)) => (format!("0 allocations, at most {most} ns"), none && row.ns <= *most),
        });
    }
    let asked = if part == "sockets/flows" {
        format!("at most {most} x of an echo on one socket")
    } else if most == NO_SLOWER {
        "no slower".to_string()
    } else {
        format!("at most {most} x")
    };
    Some((asked, row.ratio? <= most))
}

/// Wherever something is asked, ours must allocate nothing.
fn concerns(&(part, front, _): &Goal, group: &Group, row: &Row) -> bool {
    let by_name = match row.who {
        Who::Ours => true,
        Who::Floor => !front.is_empty() && row.name.starts_with(front),
        Who::Rival => row.name.starts_with(front),
    };
    group.name.contains(part) && by_name
}

/// Goals met, and what is missed: group, contender and goal.
pub(super) fn summary(groups: &[Group]) -> (usize, Vec<String>) {
    let (mut met, mut missed) = (0, Vec::new());
    for group in groups {
        for row in &group.rows {
            match verdict(group, row) {
                None => {}
                Some((_, true)) => met += 1,
                Some((asked, false)) => {
                    let ratio = row.ratio.map(|ratio| format!(": {ratio:.2} x")).unwrap_or_default();
                    missed.push(format!("{}, {} ({asked}){ratio}", group.name, row.name));
                }
            }
        }
    }
    let sockets = |group: &&Group| group.name.starts_with("sockets/");
    if groups.iter().any(|group| sockets(&group))
        && !groups.iter().filter(sockets).any(|group| group.rows.iter().any(|row| row.name == "coturn"))
    {
        missed.push("sockets/runs, coturn (at most 0.5 x): not measured, coturn was not there".to_string());
    }
    for way in ["client to peer", "peer to client"] {
        match flatness(groups, way) {
            None => {}
            Some(ratio) if ratio <= FLAT => met += 1,
            Some(ratio) => missed.push(format!(
                "turn/relay, one hot client, {way}, the most against the fewest nanoseconds of 1 to 100,000 allocations \
                 (at most {FLAT} x): {ratio:.2} x"
            )),
        }
    }
    (met, missed)
}

/// How many times the least the most is that one hot client costs, with any number of allocations.
fn flatness(groups: &[Group], way: &str) -> Option<f64> {
    let concerned = groups.iter().filter(|group| group.name.ends_with(&format!("one hot client, {way}")));
    let ours = concerned.flat_map(|group| group.rows.iter().filter(|row| row.who == Who::Ours));
    let times: Vec<_> = ours.map(|row| row.ns).collect();
    let most = times.iter().copied().reduce(f64::max)?;
    Some(most / times.iter().copied().reduce(f64::min)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(who: Who, name: &str, ratio: Option<f64>) -> Row {
        Row { who, name: name.to_string(), ns: 1.0, ratio, allocations: Some(0.0) }
    }

    #[test]
    fn goals_are_of_the_row_that_they_name_and_no_other() {
        let rows = vec![
            row(Who::Ours, "ginnel", None),
            row(Who::Floor, "floor: the copy", Some(3.0)),
            row(Who::Rival, "a 1.0", Some(1.05)),
            row(Who::Rival, "b 1.0", Some(1.06)),
        ];
        let group = Group { name: "stun/Send indication of 1200 octets, build".to_string(), rows };
        let verdicts: Vec<_> =
            group.rows.iter().map(|row| verdict(&group, row).map(|(_, met)| met)).collect();
        assert_eq!(verdicts, [Some(true), None, Some(true), Some(false)]);
        let (met, missed) = summary(&[group]);
        assert_eq!((met, missed.len()), (2, 1));
        let other = Group { name: "srtp/protect/Aes128CmHmacSha1_80/20".to_string(), rows: vec![] };
        assert_eq!(verdict(&other, &row(Who::Rival, "webrtc-srtp", Some(0.8))), None);
        assert_eq!(
            verdict(&other, &row(Who::Rival, "rtc-srtp", Some(0.8))),
            Some(("at most 0.75 x".to_string(), false))
        );
    }

    #[test]
    fn what_is_asked_in_nanoseconds_and_of_all_sizes_together() {
        let of = |size: &str, ns| Group {
            name: format!("turn/relay, {size} allocations, one hot client, client to peer"),
            rows: vec![Row { ns, ..row(Who::Ours, "ginnel", None) }],
        };
        let flat = [of("1", 50.0), of("5,000", 60.0)];
        assert_eq!(summary(&flat), (3, Vec::new()));
        let (met, missed) = summary(&[of("1", 40.0), of("5,000", 61.0)]);
        assert_eq!((met, missed.len()), (1, 2), "{missed:?}");
        assert!(missed[1].ends_with("(at most 1.2 x): 1.52 x"), "{missed:?}");
    }

    #[test]
    fn an_allocation_of_ours_misses_a_goal() {
        let ours = Row { allocations: Some(1.0), ..row(Who::Ours, "ginnel", None) };
        let group = Group { name: "stun/plain response, parse".to_string(), rows: vec![] };
        assert_eq!(verdict(&group, &ours).map(|(_, met)| met), Some(false));
    }
}
