//! A way between two parts that can be cut.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use std::thread;

use anyhow::{Context, Result};

/// Passes TCP connections on. Cut, it is as a network that loses everything: no connection breaks, nothing comes through,
/// and when it is mended what was on its way arrives. It listens until the process ends.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    way: Arc<Way>,
}

#[derive(Debug, Default)]
struct Way {
    cut: Mutex<bool>,
    connections: AtomicUsize,
    mended: Condvar,
}

impl Way {
    fn cut(&self) -> MutexGuard<'_, bool> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something comes through.
    fn pass(&self) {
        let cut = self.mended.wait_while(self.cut(), |cut| *cut);
        drop(cut.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Proxy {
    /// Begins to pass on to `to`, from a port of its own on 127.0.0.1.
    pub fn start(to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening")?;
        let address = listener.local_addr().context("listening")?;
        let way = Arc::<Way>::default();
        let passed = way.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let way = passed.clone();
                way.connections.fetch_add(1, Ordering::Relaxed);
                // A connection that does not come about is closed, as the one who asked for it sees.
                thread::spawn(move || drop(connect(&client, to, &way)));
            }
        });
        Ok(Self { address, way })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made to it so far.
    pub fn connections(&self) -> usize {
        self.way.connections.load(Ordering::Relaxed)
    }

    /// From now on nothing comes through, in either direction.
    pub fn cut(&self) {
        *self.way.cut() = true;
    }

    /// Everything comes through again.
    pub fn mend(&self) {
        *self.way.cut() = false;
        self.way.mended.notify_all();
    }
}

fn connect(client: &TcpStream, to: SocketAddr, way: &Arc<Way>) -> Result<()> {
    way.pass();
    let server = TcpStream::connect(to).context("connecting")?;
    for (from, to) in [(client, &server), (&server, client)] {
        let (from, to, way) = (from.try_clone()?, to.try_clone()?, way.clone());
        from.set_nodelay(true)?;
        thread::spawn(move || {
            // One side that breaks ends both.
            let _ = pump(&from, &to, &way);
            way.pass();
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
    Ok(())
}

fn pump(mut from: &TcpStream, mut to: &TcpStream, way: &Way) -> Result<()> {
    let mut bytes = [0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes)?;
        way.pass();
        to.write_all(bytes.get(..read).unwrap_or_default())?;
        if read == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_sent_while_it_is_cut_arrives_when_it_is_mended() -> Result<()> {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let proxy = Proxy::start(server.local_addr()?)?;
        let mut client = TcpStream::connect(proxy.address())?;
        let (mut peer, _) = server.accept()?;
        let mut byte = [0];
        client.write_all(b"a")?;
        peer.read_exact(&mut byte)?;
        proxy.cut();
        client.write_all(b"b")?;
        peer.set_read_timeout(Some(Duration::from_millis(200)))?;
        assert!(peer.read(&mut byte).is_err(), "{byte:?} came through");
        proxy.mend();
        peer.set_read_timeout(Some(Duration::from_secs(10)))?;
        peer.read_exact(&mut byte)?;
        assert_eq!(byte, *b"b");
        drop(client);
        assert_eq!(peer.read(&mut byte)?, 0);
        Ok(())
    }
}
