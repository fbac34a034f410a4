//! The pages of `docs/compliance/`: each test that a row names exists, in a crate that the page is about.
//!
//! In the last cell of a row a name in backticks is a test's if it has a module in front (`client::a_name`) or is of several
//! words (`a_name_of_words`). A page is about the crate it is named after (`stun-codec.md`: `stun`), and about those that it
//! names, as `crates/NAME`, `ginnel-NAME` or `NAME::`. Names with a `*` are not looked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::step::root;

/// Where a test is: the parts of its file's path, and the modules within the file.
type Places = BTreeMap<String, Vec<BTreeSet<String>>>;

/// Checks every page.
pub(super) fn check(wrong: &mut Vec<String>) {
    let entries = std::fs::read_dir(root().join("docs/compliance")).into_iter().flatten();
    let mut pages: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    pages.sort();
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap_or_default();
        let stem = page.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut places = Places::new();
        for name in crates_of(&stem, &text) {
            let folder = root().join("crates").join(&name);
            let mut files = Vec::new();
            super::collect(&folder, &mut files);
            for file in files {
                let source = std::fs::read_to_string(&file).unwrap_or_default();
                tests_of(&name, file.strip_prefix(&folder).unwrap_or(&file), &source, &mut places);
            }
        }
        missing(&format!("docs/compliance/{stem}.md"), &text, &places, wrong);
    }
}

/// The crates that a page is about.
fn crates_of(stem: &str, text: &str) -> BTreeSet<String> {
    let exists = |name: &String| root().join("crates").join(name).is_dir();
    let front = stem.split('-').next().unwrap_or_default();
    let named =
        ["crates/", "ginnel-"].into_iter().flat_map(|before| text.split(before).skip(1)).map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
            rest[..end].to_string()
        });
    // `driver::testing`, or a test with its crate in front.
    let modules = text.split('`').filter_map(|token| Some(token.split_once("::")?.0.replace('_', "-")));
    named.chain(modules).chain([stem.to_string(), front.to_string()]).filter(exists).collect()
}

/// Finds the test functions of a file.
fn tests_of(name: &str, path: &Path, source: &str, places: &mut Places) {
    let mut parts: BTreeSet<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    parts.insert(name.replace('-', "_"));
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    for line in &lines {
        if let Some(module) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
            parts.insert(module.to_string());
        }
    }
    for (n, line) in lines.iter().enumerate() {
        let code = line.strip_prefix("pub ").unwrap_or(line);
        let code = code.strip_prefix("async ").unwrap_or(code);
        let Some(head) = code.strip_prefix("fn ") else { continue };
        let test = head.split(['(', '<']).next().unwrap_or_default();
        let mut above = lines[..n].iter().rev().take_while(|line| !line.is_empty() && **line != "}");
        // What is in `testing` becomes a test by a macro, once for each runtime.
        if parts.contains("testing") || above.any(|line| line.starts_with("#[") && line.contains("test")) {
            places.entry(test.to_string()).or_default().push(parts.clone());
        }
    }
}

/// Reports the tests that rows name and nobody has.
fn missing(page: &str, text: &str, places: &Places, wrong: &mut Vec<String>) {
    for (n, line) in text.lines().enumerate() {
        let Some(row) = line.strip_prefix('|').and_then(|line| line.trim_end().strip_suffix('|')) else {
            continue;
        };
        let cell = row.rsplit('|').next().unwrap_or_default();
        for token in cell.split('`').skip(1).step_by(2).filter(|token| names_a_test(token)) {
            let mut modules: Vec<&str> = token.split("::").collect();
            let test = modules.pop().unwrap_or_default();
            let known = places.get(test).is_some_and(|found| {
                found.iter().any(|parts| modules.iter().all(|m| *m == "tests" || parts.contains(*m)))
            });
            if !known {
                wrong.push(format!("{page}:{}: there is no test `{token}`", n + 1));
            }
        }
    }
}

fn names_a_test(token: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':';
    let module = ["::tests", "::testing", ":"].iter().any(|end| token.ends_with(end));
    let words = token.rsplit("::").next().unwrap_or_default().matches('_').count();
    token.chars().all(legal) && !module && (token.contains("::") || words >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "#[test]\nfn it_holds_here() {\n}\n\nfn it_is_no_test() {\n}\nmod more {\n    \
                          #[test]\n    #[cfg(unix)]\n    fn and_here_too() {}\n}\n";

    fn found(row: &str) -> Vec<String> {
        let (mut places, mut wrong) = (Places::new(), Vec::new());
        tests_of("dtls-srtp", Path::new("src/client/tests.rs"), SOURCE, &mut places);
        missing("page.md", row, &places, &mut wrong);
        wrong
    }

    #[test]
    fn a_row_may_name_what_exists_by_its_modules_or_without() {
        for name in
            ["client::it_holds_here", "it_holds_here", "more::and_here_too", "dtls_srtp::it_holds_here"]
        {
            assert_eq!(found(&format!("| 1 | it holds | `{name}` |")), Vec::<String>::new(), "{name}");
        }
        assert!(
            found("| `no::such` | left of the last cell | *no*: `with_it()`, `jsep::*`, `word` |").is_empty()
        );
    }

    #[test]
    fn a_row_that_names_what_does_not_exist_is_reported() {
        for name in ["client::it_held_here", "server::it_holds_here", "client::it_is_no_test", "no_such_test"]
        {
            let wrong = found(&format!("\n| 1 | it holds | `it_holds_here`, `{name}` |"));
            assert_eq!(wrong, [format!("page.md:2: there is no test `{name}`")]);
        }
    }

    #[test]
    fn a_page_is_about_its_own_crate_and_those_it_names() {
        let of = |stem, text| crates_of(stem, text).into_iter().collect::<Vec<_>>();
        assert_eq!(of("stun-codec", "as `crates/core` has it"), ["core", "stun"]);
        assert_eq!(of("dtls-srtp", "beside `ginnel-netsim`, and ginnel-nothing"), ["dtls-srtp", "netsim"]);
    }
}
