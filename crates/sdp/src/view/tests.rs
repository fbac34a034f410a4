use super::*;

#[test]
fn every_ending_is_told_apart() {
    let endings: Vec<_> = lines("a=x\r\na=y\na=z").unwrap().map(|line| line.unwrap().ending).collect();
    assert_eq!(endings, [Ending::CrLf, Ending::Lf, Ending::Missing]);
}

#[test]
fn the_value_keeps_its_colons() {
    let line = lines("a=fmtp:96 x:y").unwrap().next().unwrap().unwrap();
    assert_eq!(line.attribute(), Some(("fmtp", "96 x:y")));
    assert_eq!((line.kind(), line.value()), (b'a', "fmtp:96 x:y"));
}

#[test]
fn nothing_follows_an_error() {
    let mut lines = lines("v=0\nnonsense\nv=0\n").unwrap();
    assert!(lines.next().unwrap().is_ok());
    assert_eq!(lines.next().unwrap().unwrap_err().line, 2);
    assert!(lines.next().is_none());
}

#[test]
fn a_line_at_the_limit_passes_and_one_past_it_does_not() {
    let line = |len: usize| std::format!("a={}\r\n", "x".repeat(len - 2));
    assert!(lines(&line(MAX_LINE)).unwrap().next().unwrap().is_ok());
    assert_eq!(lines(&line(MAX_LINE + 1)).unwrap().next().unwrap().unwrap_err().column, MAX_LINE as u32 + 1);
}

#[test]
fn lines_at_the_limit_pass_and_one_past_it_does_not() {
    let text = "a=x\n".repeat(MAX_LINES + 1);
    let results: Vec<_> = lines(&text).unwrap().collect();
    assert_eq!(results.iter().filter(|line| line.is_ok()).count(), MAX_LINES);
    assert_eq!(results.last().unwrap().as_ref().unwrap_err().line as usize, MAX_LINES + 1);
}

#[test]
fn octets_at_the_limit_pass_and_one_past_it_does_not() {
    let text = "x".repeat(MAX_BYTES);
    assert!(lines(&text).is_ok());
    assert!(lines(&(text + "x")).is_err());
}
