//! A line between two parties that can be cut: a TCP proxy.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A line to one address.
pub struct Line {
    /// The address of this end, `http://…`.
    pub url: String,
    is_up: watch::Sender<bool>,
    carried: Arc<AtomicU64>,
    server: JoinHandle<()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Line {
    /// A line to `address`, such as `127.0.0.1:9000`.
    pub async fn to(address: &str) -> Self {
        Self::at(Ipv4Addr::LOCALHOST, address).await
    }

    /// The same, whose near end is at an address of this machine.
    pub async fn at(here: Ipv4Addr, address: &str) -> Self {
        let listener = TcpListener::bind((here, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (is_up, up) = watch::channel(true);
        let carried = Arc::new(AtomicU64::new(0));
        let (address, count) = (address.to_owned(), Arc::clone(&carried));
        let server = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *up.borrow() {
                    tokio::spawn(carry(near, address.clone(), up.clone(), Arc::clone(&count)));
                }
            }
        });
        Self { url, is_up, carried, server }
    }

    /// Breaks every connection, and refuses new ones.
    pub fn cut(&self) {
        self.is_up.send_replace(false);
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.is_up.send_replace(true);
    }

    /// Bytes carried so far towards the address.
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

async fn carry(near: TcpStream, address: String, mut up: watch::Receiver<bool>, count: Arc<AtomicU64>) {
    let Ok(far) = TcpStream::connect(address).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let ignored = AtomicU64::new(0);
    tokio::select! {
        _ = up.wait_for(|up| !*up) => {}
        // Each direction may end by itself.
        _ = async { tokio::join!(copy(near_read, far_write, &count), copy(far_read, near_write, &ignored)) } => {}
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, count: &AtomicU64) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
        count.fetch_add(read as u64, Ordering::Relaxed);
    }
    let _ = to.shutdown().await;
}
