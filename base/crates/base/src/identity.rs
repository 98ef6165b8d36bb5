//! What the base is known by, and where it is.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::Path,
};

use anyhow::{Context as _, Result};
use model::BaseIdentity;
use uuid::Uuid;

use crate::settings::Identity;

/// The identity that is kept.
const FILE: &str = "identity";

/// An address that nobody has (RFC 5737): the way to it is that to the rest of the world.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// The identity of this start.
pub(crate) fn identity(wanted: &Identity, data: &Path) -> Result<BaseIdentity> {
    let text = match wanted {
        Identity::Random => Uuid::new_v4().to_string(),
        Identity::Given(given) => given.clone(),
        Identity::Kept => kept(&data.join(FILE)).with_context(|| format!("{}/{FILE}", data.display()))?,
    };
    text.parse().with_context(|| format!("the identity {text:?}"))
}

fn kept(file: &Path) -> Result<String> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let new = Uuid::new_v4().to_string();
            // All of it or nothing.
            let begun = file.with_extension("new");
            fs::write(&begun, &new)?;
            fs::rename(&begun, file)?;
            Ok(new)
        }
        Err(error) => Err(error.into()),
    }
}

/// The address at which others reach us: the one we listen at, or that of the route to whom we talk. Where that one's name is
/// not known yet, the route to anywhere else has most often the same.
pub(crate) fn local_ip(listens: IpAddr, talks_to: Option<SocketAddr>) -> IpAddr {
    if !listens.is_unspecified() {
        return listens;
    }
    let elsewhere = SocketAddr::from((ELSEWHERE, 9));
    talks_to.and_then(route_from).or_else(|| route_from(elsewhere)).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// The address that the kernel would send from. Nothing is sent.
fn route_from(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The machine's own name.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_address_is_the_one_listened_at_or_that_of_the_route() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(local_ip(ip("192.0.2.7"), None), ip("192.0.2.7"));
        let near = Some(SocketAddr::new(ip("127.0.0.1"), 1883));
        assert_eq!(local_ip(ip("0.0.0.0"), near), ip("127.0.0.1"));
        assert!(!local_ip(ip("0.0.0.0"), None).is_unspecified());
    }
}
