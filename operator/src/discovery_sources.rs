//! The files and sockets of endpoint discovery.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use operator::discovery::leases::Leases;
use operator::discovery::{Source, neighbors, ssdp};
use operator::edges::Edges;
use operator::options::DiscoveryOptions;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// Where BMCs listen for searches.
const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 1900);
/// More answers to one search than anybody has BMCs in a network.
const MAXIMUM_ANSWERS: usize = 100_000;
const MAXIMUM_DATAGRAM: usize = 2048;

pub(crate) fn of(options: &DiscoveryOptions, edges: &Edges) -> Vec<Box<dyn Source>> {
    let leases = options.leases.iter().map(|file| -> Box<dyn Source> {
        Box::new(Leases {
            file: file.clone(),
            clock: edges.clock.clone(),
            read: Arc::new(|path| std::fs::read_to_string(path)),
        })
    });
    let search = options.ssdp.map(|interface| -> Box<dyn Source> {
        Box::new(ssdp::Search {
            transport: Arc::new(move |message, patience| Box::pin(search(interface, message, patience))),
            neighbors: Arc::new(|| std::fs::read_to_string(neighbors::FILE)),
        })
    });
    leases.chain(search).collect()
}

/// Answers come to the socket that the search was sent from, which is open for no longer.
async fn search(
    interface: Ipv4Addr,
    message: &'static str,
    patience: Duration,
) -> std::io::Result<Vec<(Bytes, SocketAddr)>> {
    let socket = UdpSocket::bind((interface, 0)).await?;
    socket.send_to(message.as_bytes(), GROUP).await?;
    let end = Instant::now() + patience;
    let mut answers = Vec::new();
    let mut buffer = vec![0; MAXIMUM_DATAGRAM];
    while answers.len() < MAXIMUM_ANSWERS {
        match timeout_at(end, socket.recv_from(&mut buffer)).await {
            Ok(received) => {
                let (length, sender) = received?;
                answers.push((Bytes::copy_from_slice(&buffer[..length]), sender));
            }
            Err(_) => break,
        }
    }
    Ok(answers)
}
