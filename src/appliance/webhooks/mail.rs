//! E-mail for what callers leave: by SMTP (RFC 5321) with TLS from the beginning or by STARTTLS.
//!
//! Each attempt is a connection of its own. A message has the same Message-ID at each, so that a mailbox that got it twice shows
//! it once.

use std::io;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use serde_json::Value;

use super::queue::Delivery;
use crate::base::{Private, limits};
use crate::store::recordings::{self, Name, Shelf};

/// Of each step of an exchange; `limits::WEBHOOK_TIME` bounds all of it.
const STEP: Duration = Duration::from_secs(10);
/// Characters of a subject.
const SUBJECT_CHARS: usize = 120;

/// How the way to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// From the beginning (RFC 8314).
    Tls,
    /// RFC 3207; without it nothing is sent.
    StartTls,
    /// On the box only.
    None,
}

/// Where e-mail goes, and from whom.
#[derive(Clone, Debug)]
pub struct Settings {
    pub host: String,
    pub port: u16,
    pub security: Security,
    /// With the password; `None`: nothing is asked for.
    pub login: Option<(String, Private<String>)>,
    pub from: Private<String>,
    pub to: Vec<Private<String>>,
    /// Certificates in PEM to believe instead of those inside the program.
    pub roots: Option<Vec<u8>>,
}

/// Sends.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    domain: String,
}

impl Mailer {
    /// # Errors
    /// An address is none, or the certificates are none.
    pub fn new(settings: &Settings) -> io::Result<Self> {
        let mailbox = |text: &Private<String>| {
            let parsed = text.reveal().parse::<Mailbox>();
            parsed.map_err(|_| io::Error::other("an address of [mail] is none"))
        };
        let from = mailbox(&settings.from)?;
        let domain = from.email.domain().to_owned();
        let tls = match settings.security {
            Security::Tls => Tls::Wrapper(parameters(settings)?),
            Security::StartTls => Tls::Required(parameters(settings)?),
            Security::None => Tls::None,
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host);
        let mut builder = builder.port(settings.port).tls(tls).timeout(Some(STEP));
        if let Some((user, password)) = &settings.login {
            let credentials = Credentials::new(user.clone(), password.reveal().clone());
            builder = builder.credentials(credentials);
        }
        let to = settings.to.iter().map(mailbox).collect::<io::Result<_>>()?;
        Ok(Self { transport: builder.build(), from, to, domain })
    }

    /// What a caller has said after the tone is attached, where it is on the shelf. What is wrong, in words without an address:
    /// a server's own text may have one.
    pub async fn send(&self, delivery: &Delivery, shelf: Option<Shelf>) -> Result<(), String> {
        let event: Value = serde_json::from_str(delivery.body.reveal()).unwrap_or_default();
        let sound = match shelf.zip(name(&event)) {
            // A disk that hangs holds up no other delivery.
            Some((shelf, name)) => {
                tokio::task::spawn_blocking(move || Sound::of(&shelf, name)).await.ok()
            }
            None => None,
        };
        let message = self.message(delivery, &event, sound).ok_or("the message cannot be made")?;
        let sent = self.transport.send(message).await;
        sent.map(drop).map_err(|error| match error.status() {
            Some(code) => format!("it answered with {code}"),
            None if error.is_timeout() => "it gave no answer in time".to_owned(),
            None if error.is_tls() => "its certificate is not believed, or TLS failed".to_owned(),
            None if error.is_client() => "it does not do what is wanted of it".to_owned(),
            None => "it cannot be reached".to_owned(),
        })
    }

    fn message(&self, delivery: &Delivery, event: &Value, sound: Option<Sound>) -> Option<Message> {
        let (subject, mut text) = written(event)?;
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .message_id(Some(format!("<{}@{}>", delivery.id, self.domain)))
            .date_now();
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let sound = match sound {
            Some(Sound::Here(sound)) => sound,
            Some(Sound::TooLong) => {
                text += "What was said is too long to be attached; it is in the box.\n";
                return builder.header(ContentType::TEXT_PLAIN).body(text).ok();
            }
            Some(Sound::Gone) | None => {
                return builder.header(ContentType::TEXT_PLAIN).body(text).ok();
            }
        };
        let kind = ContentType::parse("audio/ogg; codecs=opus").ok()?;
        let sound = Attachment::new("message.opus".to_owned()).body(sound, kind);
        let parts = MultiPart::mixed().singlepart(SinglePart::plain(text)).singlepart(sound);
        builder.multipart(parts).ok()
    }
}

/// What a caller has said after the tone.
enum Sound {
    Here(Vec<u8>),
    TooLong,
    /// It was deleted meanwhile, or cannot be read.
    Gone,
}

impl Sound {
    fn of(shelf: &Shelf, name: Name) -> Self {
        let Some(file) = recordings::find(&shelf.folder, name, shelf.key.as_ref()) else {
            return Self::Gone;
        };
        if file.bytes() > limits::MAIL_SOUND_BYTES {
            return Self::TooLong;
        }
        let mut bytes = Vec::new();
        while let Ok(piece) = file.read_at(bytes.len() as u64, 64 * 1024) {
            if piece.is_empty() {
                return Self::Here(bytes);
            }
            bytes.extend(piece);
        }
        Self::Gone
    }
}

/// By what the sound of a message after the tone is named; `None` where words are withheld, too.
fn name(event: &Value) -> Option<Name> {
    let data = event.get("data")?;
    data.get("message")?.get("sound")?.as_object()?;
    let call = data.get("call_id")?.as_str()?.parse().ok()?;
    let started_at_ms = data.get("started_at_ms")?.as_u64()?;
    let ordinal = data.get("ordinal").and_then(Value::as_u64).unwrap_or(0);
    Some(Name { started_at_ms, call, ordinal: ordinal.try_into().ok()? })
}

fn parameters(settings: &Settings) -> io::Result<TlsParameters> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(pem) = &settings.roots {
        let certificate = Certificate::from_pem(pem).map_err(io::Error::other)?;
        builder =
            builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build().map_err(io::Error::other)
}

/// Subject and text of an event.
fn written(event: &Value) -> Option<(String, String)> {
    let data = event.get("data")?;
    let call = data.get("call_id").and_then(Value::as_str).unwrap_or("unknown");
    if event.get("type").and_then(Value::as_str) == Some(super::TRIAL) {
        let text = data.get("text").and_then(Value::as_str).unwrap_or_default();
        return Some(("Trial".to_owned(), format!("{text}\n")));
    }
    let Some(message) = data.get("message").filter(|message| message.is_object()) else {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or("event");
        return Some((format!("{kind}: call {call}"), format!("{kind}, call {call}.\n")));
    };
    let part = |name: &str| message.get(name).and_then(Value::as_str).map(str::to_owned);
    let topic = part("topic").unwrap_or_default();
    let name = part("name").map(|name| format!(" ({name})")).unwrap_or_default();
    let sound = message.get("sound").filter(|sound| sound.is_object());
    let kind = if sound.is_some() { "Voice message" } else { "Message" };
    let subject: String = format!("{kind}: {topic}{name}")
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SUBJECT_CHARS)
        .collect();
    let mut text = String::new();
    for (title, name) in
        [("About", "topic"), ("From", "name"), ("Call back", "number"), ("Message", "text")]
    {
        part(name).into_iter().for_each(|value| text += &format!("{title}: {value}\n"));
    }
    for (name, value) in message.get("fields").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text += &format!("{name}: {value}\n");
    }
    if let Some(ms) = sound.and_then(|sound| sound.get("duration_ms")).and_then(Value::as_u64) {
        text += &format!("Length: {} s\n", ms.div_ceil(1_000));
        if part("text").is_none() {
            text += "The words could not be had; listen to the sound.\n";
        }
    }
    text += &format!("\nCall {call}; GET /api/history has what was said.\n");
    Some((subject, text))
}

#[cfg(test)]
mod tests;
