//! The examples as a newcomer meets them: programs that are run. Cargo builds them with the tests.

use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

fn example(name: &str) -> Command {
    // target/debug/deps/examples-0123 is this test.
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.extend(["examples", name]);
    let path: PathBuf = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.is_file(), "{}: cargo build --package ginnel-stun --examples", path.display());
    Command::new(path)
}

/// The running server; killed when dropped.
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
