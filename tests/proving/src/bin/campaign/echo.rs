//! A bare echo server on tokio-tungstenite: one of the ceilings that the server is held against.

use anyhow::Result;
use futures_util::{SinkExt as _, StreamExt as _};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

pub(crate) async fn serve(address: SocketAddr) -> Result<()> {
    proving::process::raise_file_limit();
    let listener = TcpListener::bind(address).await?;
    let config = WebSocketConfig::default().read_buffer_size(4 * 1024).write_buffer_size(0);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A connection's task ends with its client; the process ends with the campaign.
        drop(tokio::task::spawn_local(async move {
            let Ok(mut socket) = accept_async_with_config(stream, Some(config)).await else { return };
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() && socket.send(message).await.is_err() {
                    return;
                }
            }
        }));
    }
}
