//! The examples as a newcomer meets them: programs that are run.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
};

use ginnel_stun::{Message, attribute::XorMappedAddress};

fn example(name: &str) -> Command {
    // This test is target/debug/deps/examples-0123, or the like of another profile.
    let this = std::env::current_exe().unwrap();
    let profile = this.ancestors().nth(2).unwrap();
    let path = profile.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    if !path.is_file() {
        // Cargo builds examples with the tests, but not where it is told to run this one alone.
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "ginnel-stun", "--examples"]);
        if !profile.ends_with("debug") {
            cargo.arg("--profile").arg(profile.file_name().unwrap());
        }
        assert!(cargo.status().unwrap().success() && path.is_file(), "{} cannot be built", path.display());
    }
    Command::new(path)
}

/// The running server, on one address; killed when dropped.
struct Server(Child, SocketAddr);

impl Server {
    fn start(words: &[&str]) -> Self {
        let mut child = example("server").args(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let at = said.split_whitespace().last().and_then(|word| word.parse().ok());
        Self(child, at.unwrap_or_else(|| panic!("it does not say where it listens: {said}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn binding_asks_the_server() {
    let server = Server::start(&["127.0.0.1:0"]);
    let output = example("binding").arg(server.1.to_string()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let mapped: SocketAddr = said.trim().parse().unwrap_or_else(|e| panic!("{e}: {output:?}"));
    assert!(output.status.success() && mapped.ip() == server.1.ip() && mapped != server.1, "{output:?}");
}

#[test]
fn binding_says_that_nobody_listens() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = example("binding").arg(closed.to_string()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(!output.status.success() && said.contains("refused"), "{output:?}");
}

#[test]
fn a_server_with_users_answers_nobody_else() {
    let server = Server::start(&["127.0.0.1:0", "--realm", "example.org", "--user", "user:pass"]);
    let output = example("binding").arg(server.1.to_string()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("401"), "{output:?}");
}

/// A stream in two pieces, behind it one that is not STUN: answered, and ended.
#[test]
fn a_server_answers_over_tcp_and_ends_what_is_not_stun() {
    let server = Server::start(&["127.0.0.1:0"]);
    let mut stream = TcpStream::connect(server.1).unwrap();
    stream.write_all(b"\x00\x01\x00\x00\x21\x12").unwrap();
    stream.write_all(b"\xa4\x42transactions\x16\x03\x01\x02").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = Message::parse(&answer).unwrap();
    assert_eq!(answer.get().unwrap(), Some(XorMappedAddress(stream.local_addr().unwrap())));
}

#[test]
fn a_server_refuses_words_that_it_does_not_know() {
    for words in [&[][..], &["127.0.0.1:0", "--users", "x:y"], &["127.0.0.1:0", "--realm", "example.org"]] {
        let output = example("server").args(words).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage"), "{words:?}: {output:?}");
    }
}
