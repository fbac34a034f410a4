use super::*;
use crate::attribute::{Direction, IceUfrag, Mid, SctpPort};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";

fn line_of(text: &str) -> (u32, &'static str) {
    let error = Session::parse(text).unwrap_err();
    (error.line, error.expected)
}

#[test]
fn the_lines_every_description_has_are_asked_for() {
    assert_eq!(line_of(""), (1, "v=, the first line"));
    assert_eq!(line_of("o=- 1 1 IN IP4 0.0.0.0\r\n"), (1, "v=, the first line"));
    assert_eq!(line_of("v=0\r\ns=-\r\n"), (2, "o=, the line after v="));
    assert_eq!(line_of("v=0\r\n"), (1, "o=, the line after v="));
    assert_eq!(line_of(&HEAD.replace("t=0 0\r\n", "a=x\r\n")), (4, "t=, which every description has"));
    assert_eq!(
        line_of(&HEAD.replace("t=0 0\r\n", "m=audio 9 RTP/AVP 0\r\n")),
        (4, "t=, which every description has")
    );
    assert!(Session::parse(HEAD).is_ok());
}

#[test]
fn lines_out_of_order_are_refused_and_the_order_of_rfc_3264_is_not() {
    let order = "the lines in the order v o s i u e p c b t r z k a";
    assert_eq!(line_of(&format(HEAD, "s=-\r\n")), (5, order));
    assert_eq!(line_of(&format(HEAD, "i=x\r\n")), (5, order));
    assert_eq!(line_of(&format(HEAD, "a=x\r\nb=AS:1\r\n")), (6, order));
    assert!(Session::parse(&format(HEAD, "c=IN IP4 192.0.2.1\r\n")).is_ok());
    let section = "the lines of a section in the order m i c b k a";
    assert_eq!(line_of(&format(HEAD, "m=audio 9 RTP/AVP 0\r\na=x\r\nc=IN IP4 192.0.2.1\r\n")), (7, section));
    assert_eq!(line_of(&format(HEAD, "m=audio 9 RTP/AVP 0\r\nt=0 0\r\n")), (6, section));
    assert_eq!(line_of(&HEAD.replace("t=0 0", "r=1 2 3")), (4, "t= before r= and z="));
}

fn format(head: &str, tail: &str) -> std::string::String {
    std::format!("{head}{tail}")
}

#[test]
fn two_of_what_there_is_one_of_are_refused() {
    for line in ["a=mid:1", "a=ice-ufrag:abcd", "a=setup:active", "a=sctp-port:1"] {
        let text = std::format!("{HEAD}m=audio 9 RTP/AVP 0\r\n{line}\r\n{line}\r\n");
        assert_eq!(line_of(&text).0, 7, "{line}");
        // In two sections they are two things, mids apart.
        let other = line.replace(":1", ":2");
        let text = std::format!("{HEAD}m=audio 9 RTP/AVP 0\r\n{line}\r\nm=audio 9 RTP/AVP 0\r\n{other}\r\n");
        assert!(Session::parse(&text).is_ok(), "{line}");
    }
}

#[test]
fn changes_leave_all_other_octets_alone() {
    let text = std::format!(
        "{HEAD}m=audio 9 RTP/AVP 0\r\na=mid:0\na=x : odd  spaces \r\na=ice-ufrag:abcd\na=ice-ufrags:1\r\na=sendrecv\na=end"
    );
    let mut session = Session::parse(&text).unwrap();
    let media = &mut session.media_mut()[0];
    media.set(&IceUfrag("wxyz"));
    media.set_direction(Direction::SendOnly);
    media.set_port(7);
    let expected = text.replace("abcd", "wxyz").replace("sendrecv", "sendonly").replace("audio 9", "audio 7");
    assert_eq!(session.to_string(), expected);

    session.media_mut()[0].push(&SctpPort(5000));
    assert_eq!(session.to_string(), std::format!("{expected}\r\na=sctp-port:5000\r\n"));
    assert_eq!(session.media_mut()[0].remove("x "), 1, "a name is what stands before the colon");
    assert_eq!(session.media_mut()[0].remove("x "), 0);
}

#[test]
fn set_keeps_one_and_push_attribute_checks() {
    let mut media = Media::new("audio", 9, "RTP/AVP", "0").unwrap();
    media.push(&Mid("1"));
    media.push(&Mid("2"));
    media.set(&Mid("3"));
    assert!(media.all::<Mid<'_>>().eq([Mid("3")]));
    assert!(media.push_attribute("x", "a\r\na=y").is_err());
    assert!(media.push_attribute("x:y", "z").is_err());
    assert!(media.push_attribute("mid", "a b").is_err());
    assert!(media.push_attribute("x", &"y".repeat(MAX_LINE)).is_err());
    assert!(media.push_attribute("x", "a\tb").is_ok());
    assert!(Media::new("audio", 9, "RTP/AVP\r\nx", "0").is_err());
    assert!(Media::new("audio", 9, "RTP/AVP", "999").is_err());
}

#[test]
fn the_password_is_not_in_debug() {
    let text = std::format!("{HEAD}m=audio 9 RTP/AVP 0\r\na=ice-pwd:VOkJxbRl1RmTxUk/WvJxBt\r\n");
    assert!(!std::format!("{:?}", Session::parse(&text).unwrap()).contains("VOkJ"));
}

#[test]
fn an_error_far_into_a_line_is_quoted_around_its_place() {
    let text = std::format!("{HEAD}a=group:{}@ b\r\n", "x".repeat(300));
    let error = Session::parse(&text).unwrap_err();
    assert_eq!((error.line, error.column), (5, 309));
    assert_eq!(error.excerpt.chars().nth(error.excerpt_column), Some('@'));
    assert!(error.excerpt.len() <= crate::EXCERPT);
}
