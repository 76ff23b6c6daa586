//! One HTTP/1.1 connection for one request, with TLS where the address wants it.
//!
//! Dropping a [`Connection`] or an [`Answer`] closes the socket at once: that is how a server learns
//! that nobody wants its answer any more.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::Address;
use crate::appliance::stream::{self, Stream};
use crate::appliance::trust::Roots;
use crate::appliance::url::bracketed;
use crate::base::{Private, limits};
use crate::converse::llm::Fault;

/// The server with what is needed to reach it.
pub struct Server {
    address: Address,
    key: Option<Private<String>>,
    tls: Option<TlsConnector>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({:?})", self.address)
    }
}

/// A connection that nothing was asked on yet.
pub struct Connection<'a> {
    server: &'a Server,
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
}

/// An answer: its status and its body.
pub struct Answer {
    status: u16,
    retry_after_s: Option<u64>,
    body: Incoming,
    _driver: Driver,
}

/// Moves the connection's bytes; the socket goes with it.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Server {
    pub fn new(address: Address, key: Option<Private<String>>, roots: Roots) -> Self {
        let tls = address.tls.then(|| stream::connector(roots));
        Self { address, key, tls }
    }

    /// The value of Host.
    pub fn host(&self) -> String {
        let Address { host, port, .. } = &self.address;
        format!("{}:{port}", bracketed(host))
    }

    pub async fn connect(&self, patience: Duration) -> Result<Connection<'_>, Fault> {
        let connected = tokio::time::timeout(patience, self.open()).await;
        let (sender, driver) = connected.ok().flatten().ok_or(Fault::Unreachable)?;
        Ok(Connection { server: self, sender, driver })
    }

    /// What went wrong is not told apart: for a call they are all the same.
    async fn open(&self) -> Option<(SendRequest<Full<Bytes>>, Driver)> {
        let Address { host, port, .. } = &self.address;
        handshake(stream::connect(host, *port, self.tls.as_ref()).await.ok()?).await
    }
}

async fn handshake(stream: Box<dyn Stream>) -> Option<(SendRequest<Full<Bytes>>, Driver)> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    // Its error comes again as that of the request.
    let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
    Some((sender, Driver(driver)))
}

impl Connection<'_> {
    pub async fn post(self, path: &str, body: Vec<u8>) -> Result<Answer, Fault> {
        self.send(Method::POST, path, body).await
    }

    pub async fn get(self, path: &str) -> Result<Answer, Fault> {
        self.send(Method::GET, path, Vec::new()).await
    }

    async fn send(self, method: Method, path: &str, body: Vec<u8>) -> Result<Answer, Fault> {
        let answer = self.send_for_any(method, path, body).await?;
        match answer.status {
            200 => Ok(answer),
            status => Err(Fault::of_status(status)),
        }
    }

    /// Posts a request; the answer may have any status.
    pub async fn ask(self, path: &str, body: Vec<u8>) -> Result<Answer, Fault> {
        self.send_for_any(Method::POST, path, body).await
    }

    async fn send_for_any(
        self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Answer, Fault> {
        let prefix = &self.server.address.prefix;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{prefix}{path}"))
            .header(HOST, self.server.host())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/x-ndjson, text/event-stream, application/json")
            .header(USER_AGENT, "attendant");
        if let Some(key) = &self.server.key {
            let value = HeaderValue::try_from(format!("Bearer {}", key.reveal()));
            let mut value = value.map_err(|_| Fault::Key)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|_| Fault::Unreachable)?;
        self.exchange(request).await
    }

    /// Sends a request as it is; the answer may have any status.
    pub async fn exchange(mut self, request: Request<Full<Bytes>>) -> Result<Answer, Fault> {
        let response = self.sender.send_request(request).await.map_err(|_| Fault::Unreachable)?;
        let status = response.status().as_u16();
        let retry_after_s = stream::retry_after_s(response.headers());
        let body = response.into_body();
        Ok(Answer { status, retry_after_s, body, _driver: self.driver })
    }
}

impl Answer {
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// What the server wants to have us wait, in seconds.
    pub const fn retry_after_s(&self) -> Option<u64> {
        self.retry_after_s
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            match self.body.frame().await? {
                Ok(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Some(Ok(bytes));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// All of a short answer.
    pub async fn whole(mut self) -> Result<Vec<u8>, Fault> {
        let mut whole = Vec::new();
        while let Some(part) = self.next().await {
            whole.extend_from_slice(&part.map_err(|_| Fault::CutOff)?);
            if whole.len() > limits::LLM_LINE_BYTES {
                return Err(Fault::TooLong);
            }
        }
        Ok(whole)
    }
}
