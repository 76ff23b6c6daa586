//! One request to a server, redirects and proxy included: the head of the answer and its body.

use std::env;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ureq::http::{Response, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

use super::address::{Address, AddressError};
use super::proxy::{Named, ProxyError, proxy_for};
use super::resume::{Begun, Head, Refusal, Request, Verdict, Wanted, judge};
use crate::base::limits;
use crate::store::bounded::{self, ReadError};

/// The file of certificates to believe instead of the ones inside the program, as OpenSSL names it.
const CERTIFICATES: &str = "SSL_CERT_FILE";

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// It may be better in a moment.
    #[error("{0}")]
    Passing(String),
    #[error("{0}")]
    Lasting(String),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// The file of certificates that the owner names cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{CERTIFICATES}: {} holds no certificates that can be read", path.display())]
pub struct NoCertificates {
    path: PathBuf,
    source: ReadError,
}

/// An answer that is worth its body.
pub struct Answer {
    pub verdict: Verdict,
    pub head: Head,
    pub body: Box<dyn Read>,
}

/// Asks servers.
#[derive(Debug)]
pub struct Web {
    roots: RootCerts,
}

impl Web {
    /// By this process's environment.
    pub fn here() -> Result<Self, NoCertificates> {
        let roots = match env::var_os(CERTIFICATES).map(PathBuf::from) {
            Some(path) => certificates(&path).map_err(|source| NoCertificates { path, source })?,
            None => RootCerts::WebPki,
        };
        Ok(Self { roots })
    }

    /// Asks for the file, and follows where it is sent.
    pub fn ask(
        &self,
        address: &Address,
        request: &Request,
        begun: &Begun,
        wanted: &Wanted,
    ) -> Result<Answer, WebError> {
        let mut address = address.clone();
        for _ in 0..=limits::PULL_REDIRECTS {
            let response = self.once(&address, request)?;
            let head = head_of(&response);
            match judge(request, &head, begun, wanted) {
                Verdict::Follow(location) => address = address.follow(&location)?,
                Verdict::Refuse(refusal) => return Err(refusal.into()),
                verdict => {
                    let body = Box::new(response.into_body().into_reader());
                    return Ok(Answer { verdict, head, body });
                }
            }
        }
        Err(Refusal::Redirects.into())
    }

    fn once(&self, address: &Address, request: &Request) -> Result<Response<Body>, WebError> {
        let proxy = match proxy_for(address, |name| env::var(name).ok())? {
            Some(Named { variable, address }) => {
                let proxy = Proxy::new(&address);
                Some(proxy.map_err(|_| ProxyError::Malformed(variable))?)
            }
            None => None,
        };
        let tls = TlsConfig::builder().root_certs(self.roots.clone()).build();
        let agent: Agent = Agent::config_builder()
            .https_only(address.is_secure())
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(tls)
            .proxy(proxy)
            .user_agent(concat!("attendant/", env!("CARGO_PKG_VERSION")))
            // A compressed body has other lengths and ranges.
            .accept_encoding("identity")
            .timeout_resolve(Some(limits::PULL_SILENCE))
            .timeout_connect(Some(limits::PULL_SILENCE))
            .timeout_recv_response(Some(limits::PULL_SILENCE))
            .timeout_per_read(Some(limits::PULL_SILENCE))
            .build()
            .into();
        let mut asked = agent.get(address.as_str());
        if request.from > 0 {
            asked = asked.header(header::RANGE, format!("bytes={}-", request.from));
            if let Some(mark) = &request.if_range {
                asked = asked.header(header::IF_RANGE, mark);
            }
        }
        asked.call().map_err(|error| failed(address, &error))
    }
}

fn failed(address: &Address, error: &ureq::Error) -> WebError {
    let text = format!("{}: {error}", address.host());
    match error {
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::BodyStalled
        | ureq::Error::Protocol(_) => WebError::Passing(text),
        _ => WebError::Lasting(text),
    }
}

fn head_of(response: &Response<Body>) -> Head {
    let text = |name: header::HeaderName| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(value.trim().to_owned())
    };
    Head {
        status: response.status().as_u16(),
        location: text(header::LOCATION),
        content_range: text(header::CONTENT_RANGE),
        content_length: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        content_encoding: text(header::CONTENT_ENCODING),
        etag: text(header::ETAG),
        last_modified: text(header::LAST_MODIFIED),
        retry_after_s: text(header::RETRY_AFTER).and_then(|seconds| seconds.parse().ok()),
    }
}

fn certificates(path: &Path) -> Result<RootCerts, ReadError> {
    let pem = bounded::bytes(path, limits::CERTIFICATES_BYTES)?;
    let items = parse_pem(&pem).map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Ok(Some(certificate)),
        Ok(_) => Ok(None),
        Err(error) => Err(ReadError::Unreadable(io::Error::other(error))),
    });
    let certificates: Vec<_> = items.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    match certificates.is_empty() {
        true => Err(io::Error::from(io::ErrorKind::InvalidData).into()),
        false => Ok(RootCerts::from(certificates)),
    }
}
