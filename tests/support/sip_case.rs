//! Cases of SIP in a few lines, made into scenarios for SIPp.
//!
//! ```text
//! # What the case shows: the first line.
//! box ringing            the box that rings before it answers, in place of the prompt one
//! > INVITE               sends a request; the lines below it, indented, change what it says:
//!   sdp sendonly           the body, a description of this kind
//!   body text/plain hello  or another one
//!   Require: x             sets a header field, or adds one
//!   -Contact               takes one away
//!   uri tel:+15550100      Request-URI
//!   again                  the request before, bit for bit
//!   branch other           under another branch than the one before, but otherwise that
//!   raw ...                the first line as it stands
//! < 200                  waits for a response, or (`< BYE`) for a request
//!   has a=recvonly         which matches this expression
//!   take tag To: tag=.*    keeps what of a header field matches, for [$tag] in what is sent
//! <? 180                 may come before what is next
//! > 200                  answers the request that came last
//! wait 500               milliseconds
//! call                   INVITE, 100, 200, ACK
//! bye                    BYE, 200
//! ```

use std::fmt::Write;

/// A case that was read.
#[derive(Debug)]
pub struct Case {
    pub title: String,
    pub is_for_ringing: bool,
    pub scenario: String,
}

/// One request of ours, before it is written.
#[derive(Clone, Debug)]
struct Request {
    line: String,
    method: String,
    fields: Vec<(String, String)>,
    body: String,
}

#[derive(Debug, Default)]
struct Writer {
    xml: String,
    cseq: u32,
    branch: u32,
    is_in_dialog: bool,
    invite_cseq: u32,
    invite_branch: u32,
    invite_failed: bool,
    last: Option<Request>,
    checks: Vec<String>,
}

impl Case {
    pub fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let title = lines.next().and_then(|line| line.strip_prefix("# ")).expect("a title");
        let steps = blocks(lines);
        let mut writer = Writer::default();
        let mut is_for_ringing = false;
        for (step, details) in &steps {
            match step.split_once(' ').unwrap_or((step, "")) {
                ("box", "ringing") => is_for_ringing = true,
                (">", status) if status.parse::<u16>().is_ok() => writer.answer(status, details),
                (">", method) => writer.request(method, details),
                ("<", what) => writer.receive(what, details, false),
                ("<?", what) => writer.receive(what, details, true),
                ("wait", ms) => writeln!(writer.xml, "<pause milliseconds=\"{ms}\"/>").unwrap(),
                ("call", "") => writer.call(),
                ("bye", "") => writer.bye(),
                other => panic!("{other:?} is no step"),
            }
        }
        // What comes late is another message or none.
        let scenario = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"case\">\n{}\
             <timewait milliseconds=\"200\"/>\n</scenario>\n",
            writer.finish()
        );
        Self { title: title.to_owned(), is_for_ringing, scenario }
    }
}

/// Steps with the indented lines below them.
fn blocks<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match (line.strip_prefix("  "), steps.last_mut()) {
            (Some(detail), Some((_, details))) => details.push(detail),
            _ => steps.push((line, Vec::new())),
        }
    }
    steps
}

impl Writer {
    fn call(&mut self) {
        self.request("INVITE", &["sdp pcmu"]);
        self.receive("100", &[], true);
        self.receive("180", &[], true);
        self.receive("200", &[], false);
        self.request("ACK", &[]);
    }

    fn bye(&mut self) {
        self.request("BYE", &[]);
        self.receive("200", &[], false);
    }

    fn request(&mut self, method: &str, details: &[&str]) {
        let request = match details.first() {
            Some(&"again") => self.last.clone().expect("a request before"),
            Some(detail) if detail.starts_with("branch ") => {
                let mut request = self.last.clone().expect("a request before");
                let via = request.fields.iter_mut().find(|(name, _)| name == "Via").unwrap();
                self.branch += 1;
                via.1 = self.via(self.branch);
                request
            }
            _ => self.compose(method, details),
        };
        self.last = Some(request.clone());
        if request.method == "INVITE" {
            self.invite_failed = false;
        }
        // The answer to a copy is a copy, which SIPp does not tell from one that came late.
        self.send(&request, details.first() != Some(&"again"));
    }

    fn compose(&mut self, method: &str, details: &[&str]) -> Request {
        let repeats_invite = ["ACK", "CANCEL"].contains(&method);
        if !repeats_invite {
            self.cseq += 1;
        }
        let keeps_branch = method == "CANCEL" || method == "ACK" && self.invite_failed;
        if !keeps_branch {
            self.branch += 1;
        }
        let branch = if keeps_branch { self.invite_branch } else { self.branch };
        let number = if repeats_invite { self.invite_cseq } else { self.cseq };
        if method == "INVITE" {
            (self.invite_cseq, self.invite_branch) = (number, branch);
        }
        let has_tag = method != "CANCEL" && (self.is_in_dialog || method == "ACK");
        let tag = if has_tag { "[peer_tag_param]" } else { "" };
        let mut request = Request {
            line: format!("{method} sip:desk@[remote_ip]:[remote_port] SIP/2.0"),
            method: method.to_owned(),
            fields: vec![
                ("Via".to_owned(), self.via(branch)),
                (
                    "From".to_owned(),
                    "<sip:odd@[local_ip]:[local_port]>;tag=[pid]-[call_number]".to_owned(),
                ),
                ("To".to_owned(), format!("<sip:desk@[remote_ip]:[remote_port]>{tag}")),
                ("Call-ID".to_owned(), "[call_id]".to_owned()),
                ("CSeq".to_owned(), format!("{number} {method}")),
                ("Contact".to_owned(), "<sip:odd@[local_ip]:[local_port]>".to_owned()),
                ("Max-Forwards".to_owned(), "70".to_owned()),
            ],
            body: String::new(),
        };
        details.iter().for_each(|detail| request.change(detail));
        request
    }

    fn via(&self, branch: u32) -> String {
        format!(
            "SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-{branch};rport"
        )
    }

    fn send(&mut self, request: &Request, is_repeated: bool) {
        let states_length = request.fields.iter().any(|(name, _)| name == "Content-Length");
        let mut text = format!("{}\n", request.line);
        for (name, value) in &request.fields {
            writeln!(text, "{name}: {value}").unwrap();
        }
        if !states_length {
            text += "Content-Length: [len]\n";
        }
        let retrans = if request.method == "ACK" || !is_repeated { "" } else { " retrans=\"500\"" };
        let body = &request.body;
        writeln!(self.xml, "<send{retrans}><![CDATA[\n{text}\n{body}]]></send>").unwrap();
    }

    fn receive(&mut self, what: &str, details: &[&str], is_optional: bool) {
        let mut checks = String::new();
        for detail in details {
            let (expression, place, name) = match detail.split_once(' ').expect("WORD REST") {
                ("has", expression) => {
                    self.checks.push(format!("c{}", self.checks.len()));
                    (
                        expression,
                        "search_in=\"msg\"".to_owned(),
                        self.checks.last().unwrap().clone(),
                    )
                }
                ("take", rest) => {
                    let mut words = rest.splitn(3, ' ').map(str::to_owned);
                    let (name, header) = (words.next().unwrap(), words.next().expect("HEADER:"));
                    let place = format!("search_in=\"hdr\" header=\"{header}\"");
                    (rest.splitn(3, ' ').nth(2).expect("EXPRESSION"), place, name)
                }
                other => panic!("{other:?} is no check"),
            };
            let expression =
                expression.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
            writeln!(
                checks,
                "<ereg regexp=\"{expression}\" {place} check_it=\"true\" assign_to=\"{name}\"/>"
            )
            .unwrap();
        }
        let kind = match what.parse::<u16>() {
            Ok(status) => {
                let last = self.last.as_ref().map(|last| last.method.as_str());
                let is_tagged = (101..300).contains(&status) && !is_optional;
                self.is_in_dialog |= is_tagged && self.invite_cseq > 0;
                // The final response of a cancelled INVITE comes after that of the CANCEL.
                if status >= 300 && (last == Some("INVITE") || status == 487) {
                    self.invite_failed = true;
                }
                format!("response=\"{status}\"")
            }
            Err(_) => format!("request=\"{what}\""),
        };
        let optional = if is_optional { " optional=\"true\"" } else { "" };
        // Longer than any wait of ours, so that a failure says what was waited for.
        writeln!(
            self.xml,
            "<recv {kind}{optional} timeout=\"60000\"><action>{checks}</action></recv>"
        )
        .unwrap();
    }

    fn answer(&mut self, status: &str, details: &[&str]) {
        let mut extra = String::new();
        details.iter().for_each(|detail| writeln!(extra, "{detail}").unwrap());
        writeln!(
            self.xml,
            "<send><![CDATA[\nSIP/2.0 {status} Whatever\n[last_Via:]\n[last_From:]\n[last_To:]\n\
             [last_Call-ID:]\n[last_CSeq:]\n{extra}Content-Length: 0\n\n]]></send>"
        )
        .unwrap();
    }

    /// SIPp takes a variable that is used once for a mistake.
    fn finish(mut self) -> String {
        if !self.checks.is_empty() {
            writeln!(self.xml, "<Reference variables=\"{}\"/>", self.checks.join(",")).unwrap();
        }
        self.xml
    }
}

impl Request {
    fn change(&mut self, detail: &str) {
        let (word, rest) = detail.split_once(' ').unwrap_or((detail, ""));
        match word {
            "sdp" => {
                self.set("Content-Type", "application/sdp");
                self.body = sdp(rest);
            }
            "body" => {
                let (kind, text) = rest.split_once(' ').unwrap_or((rest, ""));
                self.set("Content-Type", kind);
                self.body = text.replace("\\n", "\n");
            }
            "uri" => self.line = format!("{} {rest} SIP/2.0", self.method),
            "raw" => rest.clone_into(&mut self.line),
            _ if word.starts_with('-') => self.fields.retain(|(name, _)| *name != word[1..]),
            _ => {
                let (name, value) = detail.split_once(':').expect("NAME: VALUE");
                self.set(name, value.trim_start());
            }
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        let fold = value.replace("\\n", "\n ");
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = fold,
            None => self.fields.push((name.to_owned(), fold)),
        }
    }
}

/// Descriptions by what is odd about them.
fn sdp(kind: &str) -> String {
    let mut lines = vec![
        "v=0",
        "o=odd 7 7 IN IP4 [local_ip]",
        "s=-",
        "c=IN IP4 [media_ip]",
        "t=0 0",
        "m=audio [media_port] RTP/AVP 0 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
    ];
    match kind {
        "pcmu" => (),
        "sendonly" | "inactive" | "recvonly" | "sendrecv" => {
            lines[1] = "o=odd 7 8 IN IP4 [local_ip]";
            lines.push(match kind {
                "sendonly" => "a=sendonly",
                "inactive" => "a=inactive",
                "recvonly" => "a=recvonly",
                _ => "a=sendrecv",
            });
        }
        "zero" => lines[3] = "c=IN IP4 0.0.0.0",
        "pcma" => {
            (lines[5], lines[6]) = ("m=audio [media_port] RTP/AVP 8 101", "a=rtpmap:8 PCMA/8000")
        }
        "moved" => lines[5] = "m=audio 40404 RTP/AVP 0 101",
        "g729" => {
            lines.truncate(5);
            lines.extend(["m=audio [media_port] RTP/AVP 18", "a=rtpmap:18 G729/8000"]);
        }
        "static" => {
            lines.truncate(5);
            lines.push("m=audio [media_port] RTP/AVP 8");
        }
        "video" => lines.extend(["m=video 40406 RTP/AVP 96", "a=rtpmap:96 H264/90000"]),
        "video-only" => {
            lines.truncate(5);
            lines.extend(["m=video 40406 RTP/AVP 96", "a=rtpmap:96 H264/90000"]);
        }
        "fax" => {
            lines.truncate(5);
            lines.push("m=image 40408 udptl t38");
        }
        "savp" => lines[5] = "m=audio [media_port] RTP/SAVP 0 101",
        "ptime" => lines.push("a=ptime:30"),
        "mux" => lines.push("a=rtcp-mux"),
        "media-address" => {
            lines[3] = "c=IN IP4 192.0.2.1";
            lines.insert(6, "c=IN IP4 [media_ip]");
        }
        "none" => lines.truncate(5),
        "junk" => lines = vec!["this is no description"],
        other => panic!("no description {other}"),
    }
    lines.join("\n") + "\n"
}
