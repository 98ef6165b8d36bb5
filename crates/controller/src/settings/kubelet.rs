//! The kubelet API (`KUBELET_PROXY_*`): where it is served, with which certificate, and for whom.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use engine::KubeletConfig;
use kubelet::{
    KubeletSettings,
    tls::{CERTIFICATE_VARIABLE, KEY_VARIABLE},
};

use super::{Refusals, doors, names::an_address, set};
use crate::args::Args;

/// As kubelets have it.
const PORT: u16 = 10_250;
/// The authority that a Pod's account is told of: with kubeadm and its like also that of the API servers' own certificates.
const CLIENT_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// What VNodes say of it, and how it is served; none where it is off.
pub(super) fn kubelet(args: &Args, refused: &mut Refusals) -> Option<(KubeletConfig, KubeletSettings)> {
    let is_on = refused.flag("KUBELET_PROXY_ENABLED", &args.kubelet_proxy_enabled);
    let port = refused.port("KUBELET_PROXY_PORT", &args.kubelet_proxy_port, PORT);
    let address = set(&args.kubelet_proxy_address).map(|given| (given, given.parse::<IpAddr>().ok()));
    if let Some((given, None)) = address {
        refused.add("KUBELET_PROXY_ADDRESS", Some(given), an_address());
    }
    let path = |given| set(given).map(PathBuf::from);
    let own = (path(&args.kubelet_proxy_tls_crt_path), path(&args.kubelet_proxy_tls_key_path));
    let certificate = doors::pair(own, (CERTIFICATE_VARIABLE, KEY_VARIABLE), refused);
    let settings = KubeletSettings {
        listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        certificate,
        client_ca: path(&args.kubelet_proxy_client_ca_path).unwrap_or_else(|| CLIENT_CA.into()),
    };
    let config = KubeletConfig { port, address: address.and_then(|(_, address)| address) };
    is_on.then_some((config, settings))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::settings::tests::settings;

    #[test]
    fn it_is_off_until_it_is_turned_on_and_every_setting_has_a_default() {
        let off = settings(&["--enable-http-tunnel", "--kubelet-proxy-enabled=false"]).unwrap();
        assert!(off.kubelet.is_none() && off.engine.kubelet.is_none());
        let on = settings(&["--enable-http-tunnel", "--kubelet-proxy-enabled"]).unwrap();
        assert_eq!(on.engine.kubelet.map(|kubelet| (kubelet.port, kubelet.address)), Some((10_250, None)));
        let served = on.kubelet.unwrap();
        assert_eq!(served.listen.to_string(), "0.0.0.0:10250");
        assert_eq!(
            (served.certificate, &*served.client_ca),
            (None, Path::new("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"))
        );
    }

    #[test]
    fn what_it_cannot_be_served_with_is_refused() {
        let refusal = settings(&[
            "--enable-http-tunnel",
            "--kubelet-proxy-enabled=yes",
            "--kubelet-proxy-port=0",
            "--kubelet-proxy-address=here",
            "--kubelet-proxy-tls-crt-path=crt",
        ])
        .unwrap_err();
        for said in [
            "KUBELET_PROXY_ENABLED is \"yes\"; allowed is true or false",
            "KUBELET_PROXY_PORT is \"0\"; allowed is a whole number from 1 to 65535",
            "KUBELET_PROXY_ADDRESS is \"here\"; allowed is an IP address",
            "KUBELET_PROXY_TLS_KEY_PATH: it is needed with KUBELET_PROXY_TLS_CRT_PATH",
        ] {
            assert!(refusal.contains(said), "{said} is not in\n{refusal}");
        }
    }
}
