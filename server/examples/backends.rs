//! The server with each kind of storage, for `ci/backends.sh`: user `test`, password `secret`,
//! explicit TLS.
//!
//! `cargo run -p ftpspec-server --example backends -- mem|disk|overlay|quota|vfs-memory|vfs-physical [DIRECTORY]`

use std::error::Error;
use std::sync::Arc;

use ftpspec_server::storage::{DiskStorage, MemFs, Overlay, Quota, Storage, VfsStorage};
use ftpspec_server::{Server, Tls};
use vfs::{MemoryFS, PhysicalFS};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments
        .next()
        .ok_or("the first argument is the kind of storage")?;
    let directory = arguments.next().ok_or("the second argument is a directory");
    let storage: Arc<dyn Storage> = match name.as_str() {
        "mem" => Arc::new(MemFs::new()),
        "disk" => Arc::new(DiskStorage::open(directory?)?),
        "overlay" => {
            let below = DiskStorage::open_read_only(directory?)?;
            Arc::new(Overlay::new(Arc::new(below)))
        }
        "quota" => {
            let disk = DiskStorage::open(directory?)?;
            Arc::new(Quota::new(Arc::new(disk), 1 << 40)?)
        }
        "vfs-memory" => Arc::new(VfsStorage::new(MemoryFS::new().into())),
        "vfs-physical" => Arc::new(VfsStorage::new(PhysicalFS::new(directory?).into())),
        other => return Err(format!("unknown kind of storage: {other}").into()),
    };
    let server = Server::builder()
        .shared_storage(storage)
        .user("test", "secret")
        .tls(Tls::explicit())
        .allow_ccc()
        .start()
        .await?;
    println!("{}", server.url());
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}
