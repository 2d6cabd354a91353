//! How another device finds the studio: an address, and the same as a QR code for its camera.

use qrcode::render::unicode;
use qrcode::{Color, EcLevel, QrCode};
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// An address that other devices can open.
#[derive(Clone, Debug, Serialize)]
pub struct Invitation {
    /// `http://HOST:PORT/?token=…`
    pub address: String,
    /// Modules on a side of the code, without its quiet border.
    side: usize,
    /// The dark modules as an SVG path, a unit each.
    path: String,
    #[serde(skip)]
    text: String,
}

impl Invitation {
    /// To a server at an address that others reach; `name` is what it was asked to listen on. None if it listens for this
    /// machine alone.
    pub fn new(address: SocketAddr, name: Option<&str>, token: &str) -> Option<Self> {
        if address.ip().is_loopback() {
            return None;
        }
        let port = address.port();
        let host = match name.filter(|name| name.parse::<IpAddr>().is_err()) {
            Some(name) => format!("{name}:{port}"),
            None if address.ip().is_unspecified() => SocketAddr::new(own(), port).to_string(),
            None => address.to_string(),
        };
        let address = format!("http://{host}/?token={token}");
        let code = QrCode::with_error_correction_level(&address, EcLevel::M).ok()?;
        let side = code.width();
        let text = code
            .render::<unicode::Dense1x2>()
            .dark_color(unicode::Dense1x2::Light)
            .light_color(unicode::Dense1x2::Dark)
            .build();
        let modules = code.to_colors();
        let dark = modules
            .iter()
            .enumerate()
            .filter(|(_, module)| **module == Color::Dark)
            .map(|(at, _)| format!("M{} {}h1v1h-1z", at % side, at / side));
        Some(Self {
            path: dark.collect(),
            address,
            side,
            text,
        })
    }

    /// The code in letters, for a dark terminal.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// This machine's address in the network that its other traffic takes; nothing is sent.
fn own() -> IpAddr {
    // An address for documentation, which no machine has.
    let asked = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| {
            socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
            socket.local_addr()
        })
        .map(|address| address.ip());
    asked.unwrap_or(Ipv4Addr::LOCALHOST.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_invited_where_they_can_come() {
        let of = |address: &str, name| {
            Invitation::new(address.parse().unwrap(), name, "abc").map(|one| one.address)
        };
        assert_eq!(of("127.0.0.1:80", None), None);
        assert_eq!(of("[::1]:80", None), None);
        assert_eq!(
            of("192.168.1.7:8000", Some("192.168.1.7")).unwrap(),
            "http://192.168.1.7:8000/?token=abc"
        );
        assert_eq!(
            of("192.168.1.7:8000", Some("atelier.local")).unwrap(),
            "http://atelier.local:8000/?token=abc"
        );
        let every = of("0.0.0.0:8000", Some("0.0.0.0")).unwrap();
        assert!(!every.contains("//0.0.0.0") && every.ends_with(":8000/?token=abc"));
    }

    #[test]
    fn a_code_has_its_three_corners() {
        let one = Invitation::new("10.0.0.2:80".parse().unwrap(), None, "abc").unwrap();
        let last = one.side - 7;
        for (x, y) in [(0, 0), (last, 0), (0, last)] {
            let is_dark = |x, y| one.path.contains(&format!("M{x} {y}h1v1h-1z"));
            assert!(is_dark(x, y) && is_dark(x + 3, y + 3) && !is_dark(x + 1, y + 1));
        }
        assert!(one.text().lines().count() > one.side / 2);
    }
}
