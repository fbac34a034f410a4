//! `ginnel demo`: a page, a STUN server, and a peer that answers the page.

mod assets;
mod echo;
mod http;
mod session;
mod sessions;
mod status;

use std::{
    io::Write as _,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use clap::{Args, ValueEnum};
use ginnel::{
    core::{Epoch, Instant, Port},
    driver::{App, Driver},
    dtls_srtp::dtls::{Certificate, Versions},
    stun::{BindingServer, ServerConfig, ServerEvent},
    tokio::Tokio,
};
use tokio::net::TcpListener;

use self::{
    http::Shared,
    sessions::{Sessions, Setup},
};
use crate::host;

/// What the demo binds, and how its peers behave.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Where the page is served
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Where the STUN server listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3478", conflicts_with = "no_stun")]
    stun: SocketAddr,
    /// Run without a STUN server
    #[arg(long)]
    no_stun: bool,
    /// Listen on every interface and not on loopback alone (browsers grant the camera only to https or to their own host)
    #[arg(long)]
    open_to_lan: bool,
    /// Ask this STUN server for server-reflexive candidates; repeatable
    #[arg(long, value_name = "ADDR")]
    ask_stun: Vec<SocketAddr>,
    /// Which versions of DTLS the peers speak
    #[arg(long, value_enum, default_value = "auto")]
    dtls: DtlsVersions,
}

/// As a flag.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum DtlsVersions {
    /// 1.3 if the browser has it, else 1.2
    Auto,
    #[value(name = "1.2")]
    Dtls12,
    #[value(name = "1.3")]
    Dtls13,
}

impl From<DtlsVersions> for Versions {
    fn from(versions: DtlsVersions) -> Self {
        match versions {
            DtlsVersions::Auto => Self::Auto,
            DtlsVersions::Dtls12 => Self::Dtls12,
            DtlsVersions::Dtls13 => Self::Dtls13,
        }
    }
}

/// How long saying goodbye to every page may take.
const CLOSING: Duration = Duration::from_secs(5);

/// Runs until Ctrl-C.
pub(crate) async fn run(options: Options) -> Result<(), String> {
    let widen = |address: SocketAddr| match options.open_to_lan && address.ip().is_loopback() {
        true if address.is_ipv6() => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), address.port()),
        true => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()),
        false => address,
    };
    let http_address = widen(options.http);
    let listener = TcpListener::bind(http_address).await.map_err(|e| {
        format!("cannot serve the page on {http_address}: {e}; choose another with --http ADDR")
    })?;
    let bound = listener.local_addr().map_err(|e| format!("the page's socket has no address: {e}"))?;
    let stun = match options.no_stun {
        true => None,
        false => Some(StunServer::bind(widen(options.stun))?),
    };

    let certificate = Certificate::generate().map_err(|e| format!("no certificate can be made: {e}"))?;
    let setup = Setup {
        certificate: Arc::new(certificate),
        versions: options.dtls.into(),
        stun_servers: options.ask_stun,
    };
    let shared = Arc::new(Shared {
        sessions: Sessions::new(setup)?,
        stun: stun.as_ref().map(|server| server.address),
    });
    announce(bound, stun.as_ref().map(|server| server.address));

    let page = axum::serve(listener, http::router(shared.clone()));
    tokio::select! {
        served = page => return served.map_err(|e| format!("the page can no longer be served: {e}")),
        () = StunServer::run(stun) => return Err("the STUN server ended".to_string()),
        pressed = tokio::signal::ctrl_c() => pressed.map_err(|e| format!("Ctrl-C cannot be heard: {e}"))?,
    }
    // Whoever read our output may have gone with the same Ctrl-C.
    let _ = writeln!(std::io::stdout(), "Closing.");
    tokio::select! {
        () = shared.sessions.close() => Ok(()),
        () = tokio::time::sleep(CLOSING) => Err("some connections did not end in time".to_string()),
        _ = tokio::signal::ctrl_c() => Err("ended at once".to_string()),
    }
}

fn announce(http: SocketAddr, stun: Option<SocketAddr>) {
    let shown = if http.ip().is_unspecified() {
        match http.is_ipv6() {
            true => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), http.port()),
            false => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), http.port()),
        }
    } else {
        http
    };
    println!("Ginnel demo: open http://{shown} in a browser");
    if http.ip().is_unspecified() {
        let lan = host::addresses().unwrap_or_default();
        for ip in lan.iter().filter(|ip| !ip.is_loopback() && ip.is_ipv6() == http.is_ipv6()) {
            println!(
                "  from the LAN: http://{} (data only: no camera without https)",
                SocketAddr::new(*ip, http.port())
            );
        }
    }
    if let Some(stun) = stun {
        println!("  STUN server on {stun}");
    }
    println!("  Ctrl-C ends it");
}

/// The embedded STUN server: the machine of the STUN crate on one socket.
struct StunServer {
    driver: Driver<Tokio, BindingServer>,
    address: SocketAddr,
}

impl StunServer {
    fn bind(address: SocketAddr) -> Result<Self, String> {
        let port = if address.port() == 0 { Port::Any } else { Port::Exact(address.port()) };
        let server = BindingServer::new(ServerConfig::default(), host::seed()?);
        let mut driver = Driver::new(Tokio, Epoch::start(), server);
        let address = driver.bind(address.ip(), port).map_err(|refused| {
            format!("no STUN server on {address}: {refused}; choose another with --stun ADDR, or --no-stun")
        })?;
        Ok(Self { driver, address })
    }

    async fn run(server: Option<Self>) {
        match server {
            Some(mut server) => server.driver.run(&mut Silent).await,
            None => std::future::pending().await,
        }
    }
}

/// A server that asks for no credentials has nothing to tell.
struct Silent;

impl App<BindingServer> for Silent {
    fn event(&mut self, _: Instant, _: &mut BindingServer, _: ServerEvent) {}
}
