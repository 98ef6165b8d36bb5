//! What the base is known by, and where it is.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
};

use anyhow::{Context as _, Result};
use model::BaseIdentity;
use url::Url;
use uuid::Uuid;

use crate::settings::Identity;

/// The identity that is kept.
const FILE: &str = "identity";

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

/// The address at which others reach us: the one we listen at, or that of the route to the controller.
pub(crate) fn local_ip(listens: IpAddr, controller: Option<&Url>) -> IpAddr {
    if !listens.is_unspecified() {
        return listens;
    }
    let route = || -> Option<IpAddr> {
        let controller = controller?.socket_addrs(|| None).ok()?.first().copied()?;
        let any =
            SocketAddr::new(if controller.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { listens }, 0);
        // Nothing is sent: the kernel says which address it would send from.
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(controller).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    route().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// The machine's own name.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
