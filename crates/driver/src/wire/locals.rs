//! Which socket has an address. A relay has a hundred thousand of them, and looks one up for every datagram it sends: so ports
//! are the index of a table, in pages that are there where there are sockets.

use std::{collections::BTreeMap, net::IpAddr, net::SocketAddr};

/// Ports of one page.
const PAGE: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Locals {
    by_ip: BTreeMap<IpAddr, Ports>,
}

/// The ports of one address.
#[derive(Debug)]
struct Ports {
    /// By the upper half of the port.
    pages: Vec<Option<Box<Page>>>,
    open: usize,
}

/// By the lower half: the number of the socket, and one; 0 for none.
#[derive(Debug)]
struct Page {
    numbers: [u32; PAGE],
    open: usize,
}

fn halves(port: u16) -> (usize, usize) {
    let [upper, lower] = port.to_be_bytes();
    (upper.into(), lower.into())
}

impl Locals {
    pub(super) fn get(&self, local: &SocketAddr) -> Option<usize> {
        let (upper, lower) = halves(local.port());
        let page = self.by_ip.get(&local.ip())?.pages.get(upper)?.as_ref()?;
        (page.numbers[lower] as usize).checked_sub(1)
    }

    pub(super) fn insert(&mut self, local: SocketAddr, number: usize) {
        let (upper, lower) = halves(local.port());
        let ports = self.by_ip.entry(local.ip()).or_insert_with(|| Ports { pages: Vec::new(), open: 0 });
        if ports.pages.len() <= upper {
            ports.pages.resize_with(upper + 1, || None);
        }
        let page = ports.pages[upper].get_or_insert_with(|| Box::new(Page { numbers: [0; PAGE], open: 0 }));
        let entry = &mut page.numbers[lower];
        if *entry == 0 {
            page.open += 1;
            ports.open += 1;
        }
        // There are no four thousand million sockets.
        *entry = u32::try_from(number + 1).unwrap_or(0);
    }

    pub(super) fn remove(&mut self, local: &SocketAddr) {
        let (upper, lower) = halves(local.port());
        let Some(ports) = self.by_ip.get_mut(&local.ip()) else { return };
        let Some(Some(page)) = ports.pages.get_mut(upper) else { return };
        if std::mem::take(&mut page.numbers[lower]) == 0 {
            return;
        }
        page.open -= 1;
        ports.open -= 1;
        if page.open == 0 {
            ports.pages[upper] = None;
        }
        if ports.open == 0 {
            self.by_ip.remove(&local.ip());
        }
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = SocketAddr> {
        self.by_ip.iter().flat_map(|(ip, ports)| {
            let pages =
                (0_u8..=u8::MAX).zip(&ports.pages).filter_map(|(upper, page)| Some((upper, page.as_ref()?)));
            pages.flat_map(move |(upper, page)| {
                let open = (0_u8..=u8::MAX).zip(&page.numbers).filter(|(_, number)| **number != 0);
                open.map(move |(lower, _)| SocketAddr::new(*ip, u16::from_be_bytes([upper, lower])))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_of_every_address_has_its_place() {
        let mut locals = Locals::default();
        let addresses: Vec<SocketAddr> = ["127.0.0.1", "127.0.0.2", "::1"]
            .iter()
            .flat_map(|ip| {
                let ip: IpAddr = ip.parse().unwrap();
                [0, 1, 255, 256, 3_478, u16::MAX].map(|port| SocketAddr::new(ip, port))
            })
            .collect();
        for (number, address) in addresses.iter().enumerate() {
            assert_eq!(locals.get(address), None);
            locals.insert(*address, number);
        }
        assert_eq!(locals.iter().collect::<Vec<_>>(), addresses);
        for (number, address) in addresses.iter().enumerate() {
            assert_eq!(locals.get(address), Some(number));
            locals.remove(address);
            locals.remove(address);
            assert_eq!(locals.get(address), None);
        }
        assert!(locals.by_ip.is_empty(), "no page is left behind");
    }
}
