//! What an account registers with, as the platform gives it: by `sip-provision` for a WebPhone, by a
//! device's `sip-info` for a telephone by TLS.
//!
//! It stays good for a long time, and each WebPhone that is asked for is one more: so it is kept.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::request::{Body, Lacking, Request, text};
use crate::base::{Private, limits, serial};

const PROVISION: &str = "/restapi/v1.0/client-info/sip-provision";
const DEVICES: &str = "/restapi/v1.0/account/~/extension/~/device";
const DEVICE: &str = "/restapi/v1.0/account/~/device";
/// The only kind of device whose credentials are told.
const KIND: &str = "OtherPhone";

/// What kind of telephone the box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// SIP over secure WebSocket, sound by DTLS-SRTP.
    WebPhone,
    /// SIP over TLS, keys in the description.
    Device,
}

/// A server that SIP goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proxy {
    /// `HOST:PORT`.
    pub place: String,
    /// Whether it is reached by TLS. A stand-in on this machine need not be.
    pub is_secure: bool,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provision {
    pub mode: Mode,
    pub domain: String,
    #[serde(with = "serial::revealed")]
    pub username: Private<String>,
    #[serde(with = "serial::revealed")]
    pub password: Private<String>,
    #[serde(with = "serial::revealed")]
    pub authorization_id: Private<String>,
    /// The first to be tried first.
    pub proxies: Vec<Proxy>,
    /// How long another one than the first is used before the first is tried again.
    #[serde(default)]
    pub switch_back_s: Option<u32>,
    /// Whom Call Control has a call answered by.
    #[serde(with = "serial::revealed")]
    pub device_id: Private<Option<String>>,
}

/// What is asked for a WebPhone, for the device of an earlier answer if there is one.
pub(super) fn ask_web_phone(device_id: Option<&str>) -> Request {
    let mut body = json!({ "sipInfo": [{ "transport": "WSS" }] });
    if let Some(id) = device_id {
        body["device"] = json!({ "id": id });
    }
    Request::post(PROVISION, Body::json(&body))
}

pub(super) fn ask_devices() -> Request {
    Request::get(DEVICES)
}

pub(super) fn ask_device(id: &str) -> Request {
    Request::get(format!("{DEVICE}/{id}/sip-info"))
}

/// The first device whose credentials are told.
pub(super) fn device_of(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let records = body.get("records")?.as_array()?;
    let is_ours = |device: &&Value| device.get("type").and_then(Value::as_str) == Some(KIND);
    let id = records.iter().find(is_ours)?.get("id")?;
    // It stands in a path.
    let id = id.as_str().map(str::to_owned).unwrap_or_else(|| id.to_string());
    let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_plain.then_some(id)
}

impl Provision {
    /// Of the answer to [`ask_web_phone`]. `may_be_plain`: the interface is on this machine, and its
    /// proxies need no TLS where they say so by `ws://`.
    ///
    /// # Errors
    /// Says what is not there.
    pub(super) fn of_web_phone(body: &[u8], may_be_plain: bool) -> Result<Self, Lacking> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Lacking("a JSON body"))?;
        let infos = body.get("sipInfo").and_then(Value::as_array).ok_or(Lacking("sipInfo"))?;
        let is_wss = |info: &&Value| {
            let transport = info.get("transport").and_then(Value::as_str);
            transport.is_none_or(|transport| transport.eq_ignore_ascii_case("WSS"))
        };
        let info = infos.iter().find(is_wss).ok_or(Lacking("sipInfo"))?;
        let names = ["outboundProxy", "outboundProxyBackup"];
        let proxies = names.iter().filter_map(|name| info.get(*name)?.as_str());
        let proxies = proxies.filter_map(|text| proxy(text, may_be_plain)).collect();
        let device = body.get("device").and_then(|device| device.get("id"));
        Self {
            mode: Mode::WebPhone,
            domain: text(info, "domain")?,
            username: text(info, "username")?.into(),
            password: text(info, "password")?.into(),
            authorization_id: text(info, "authorizationId")?.into(),
            proxies,
            switch_back_s: info.get("switchBackInterval").and_then(seconds),
            device_id: Private::new(device.and_then(Value::as_str).map(str::to_owned)),
        }
        .checked()
    }

    /// Of the answer to [`ask_device`].
    ///
    /// # Errors
    /// Says what is not there.
    pub(super) fn of_device(body: &[u8], id: &str) -> Result<Self, Lacking> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Lacking("a JSON body"))?;
        let all = body.get("outboundProxies").and_then(Value::as_array);
        let all = all.ok_or(Lacking("outboundProxies"))?;
        let proxies = all.iter().filter_map(|one| one.get("proxyTLS")?.as_str());
        Self {
            mode: Mode::Device,
            domain: text(&body, "domain")?,
            username: text(&body, "userName")?.into(),
            password: text(&body, "password")?.into(),
            authorization_id: text(&body, "authorizationId")?.into(),
            proxies: proxies.filter_map(|text| proxy(text, false)).collect(),
            switch_back_s: None,
            device_id: Private::new(Some(id.to_owned())),
        }
        .checked()
    }

    /// Whether each part is of the form that it should have, also where it was kept.
    ///
    /// # Errors
    /// Says which is not.
    pub fn checked(mut self) -> Result<Self, Lacking> {
        self.proxies.truncate(limits::RINGCENTRAL_PROXIES);
        let fits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let is_user = |text: &str| fits(text, 64) && !text.contains(['<', '>', '"', '@', ':', ';']);
        if !fits(&self.domain, 255) || self.domain.contains([':', '/', '@']) {
            return Err(Lacking("a domain"));
        }
        if !is_user(self.username.reveal()) {
            return Err(Lacking("a user name"));
        }
        if self.proxies.is_empty() {
            return Err(Lacking("an outbound proxy"));
        }
        Ok(self)
    }
}

fn seconds(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok().filter(|seconds| *seconds > 0)
}

fn proxy(text: &str, may_be_plain: bool) -> Option<Proxy> {
    let (place, is_secure) = match text.split_once("://") {
        None => (text, true),
        Some(("wss" | "sips", place)) => (place, true),
        Some(("ws", place)) if may_be_plain => (place, false),
        Some(_) => return None,
    };
    let place = place.trim_end_matches('/');
    crate::sip::message::host_and_port(place)?;
    Some(Proxy { place: place.to_owned(), is_secure })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"device":{"id":"8047"},"sipInfo":[{"username":"17205550100*115",
        "password":"secret","authorizationId":"802404906016","domain":"sip.ringcentral.com",
        "outboundProxy":"sip112-1141.ringcentral.com:8083",
        "outboundProxyBackup":"sip112-1142.ringcentral.com:8083","transport":"WSS",
        "switchBackInterval":60}],
        "sipFlags":{"voipFeatureEnabled":true}}"#;

    #[test]
    fn a_web_phone_is_what_the_answer_says_and_what_is_kept_is_the_same() {
        let provision = Provision::of_web_phone(ANSWER.as_bytes(), false).unwrap();
        assert_eq!(provision.domain, "sip.ringcentral.com");
        assert_eq!(provision.username.reveal(), "17205550100*115");
        assert_eq!(provision.device_id.reveal().as_deref(), Some("8047"));
        let places: Vec<&str> = provision.proxies.iter().map(|p| p.place.as_str()).collect();
        assert_eq!(places[1], "sip112-1142.ringcentral.com:8083");
        assert!(provision.proxies.iter().all(|proxy| proxy.is_secure));
        assert_eq!(provision.switch_back_s, Some(60));
        let kept = serde_json::to_vec(&provision).unwrap();
        assert_eq!(serde_json::from_slice::<Provision>(&kept).unwrap(), provision);
        let shown = format!("{provision:?}");
        assert!(!shown.contains("secret") && !shown.contains("1720") && !shown.contains("8047"));
    }

    #[test]
    fn a_plain_proxy_is_one_only_on_this_machine() {
        let plain = ANSWER.replace("sip112-1141.ringcentral.com:8083", "ws://127.0.0.1:9000");
        let plain =
            plain.replace("\"outboundProxyBackup\":\"sip112-1142.ringcentral.com:8083\",", "");
        let told = Provision::of_web_phone(plain.as_bytes(), false);
        assert_eq!(told, Err(Lacking("an outbound proxy")));
        let here = Provision::of_web_phone(plain.as_bytes(), true).unwrap();
        let expected = Proxy { place: "127.0.0.1:9000".to_owned(), is_secure: false };
        assert_eq!(here.proxies, [expected]);
    }

    #[test]
    fn what_is_missing_or_foul_is_named() {
        for (from, to, lacks) in [
            ("\"sipInfo\"", "\"other\"", "sipInfo"),
            ("\"password\":\"secret\",", "", "password"),
            ("17205550100*115", "a@b>", "a user name"),
            ("\"sip.ringcentral.com\"", "\"a b\"", "a domain"),
        ] {
            let told = Provision::of_web_phone(ANSWER.replace(from, to).as_bytes(), false);
            assert_eq!(told, Err(Lacking(lacks)), "{to}");
        }
    }

    #[test]
    fn a_device_is_found_among_others_and_read() {
        let list =
            br#"{"records":[{"id":"1","type":"HardPhone"},{"id":"802","type":"OtherPhone"}]}"#;
        assert_eq!(device_of(list).as_deref(), Some("802"));
        assert_eq!(device_of(br#"{"records":[{"id":"../x","type":"OtherPhone"}]}"#), None);
        let info = br#"{"domain":"sip.ringcentral.com","userName":"17205550100","password":"p",
            "authorizationId":"8","outboundProxies":[{"region":"NA","proxy":"sip20.x.com:5090",
            "proxyTLS":"sip20.x.com:5096"}]}"#;
        let device = Provision::of_device(info, "802").unwrap();
        assert_eq!(
            (device.mode, device.proxies[0].place.as_str()),
            (Mode::Device, "sip20.x.com:5096")
        );
    }
}
