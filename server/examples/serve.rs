//! A server with files in memory: user `test`, password `secret`, explicit TLS, and implicit TLS on
//! another port.
//!
//! `cargo run -p ftpspec-server --example serve -- [ADDRESS [IMPLICIT-ADDRESS [CA-FILE]]]`

use ftpspec_server::storage::MemFs;
use ftpspec_server::{Server, Tls};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut builder = Server::builder()
        .storage(MemFs::new())
        .user("test", "secret")
        .anonymous()
        .allow_ccc()
        .tls(Tls::explicit());
    if let Some(address) = arguments.next() {
        builder = builder.bind(address.parse()?);
    }
    if let Some(address) = arguments.next() {
        builder = builder.bind_implicit(address.parse()?);
    }
    let server = builder.start().await?;
    if let (Some(file), Some(pem)) = (arguments.next(), server.ca_pem()) {
        std::fs::write(file, pem)?;
    }
    for address in server.addresses() {
        println!("ftp://test:secret@{address}/");
    }
    for address in server.implicit_addresses() {
        println!("ftps://test:secret@{address}/");
    }
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}
