//! The messages of RFC 4475 (49) and RFC 5118 (12), written here in their essential form, and what
//! parsing makes of them. What a user agent answers to the well-formed ones is tested with it.

use super::*;

/// Lines to a message; the texts here have lone LF for brevity.
fn wire(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// A request with everything mandatory, where `start` and `extra` decide the case. A header field
/// in `extra` replaces the usual one of its name.
fn request(start: &str, extra: &str) -> String {
    let method = start.split(' ').next().unwrap();
    let usual = [
        ("Via", "SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw".to_owned()),
        ("From", "<sip:caller@example.net>;tag=2234923".to_owned()),
        ("To", "<sip:user@example.com>".to_owned()),
        ("Call-ID", "torture.23841@host.example.com".to_owned()),
        ("CSeq", format!("93 {method}")),
        ("Max-Forwards", "70".to_owned()),
    ];
    let mut text = format!("{start}\n");
    for (name, value) in usual {
        if !extra.lines().any(|line| line.starts_with(&format!("{name}:"))) {
            text += &format!("{name}: {value}\n");
        }
    }
    let end = if extra.contains("\n\n") { "" } else { "\n" };
    format!("{text}{extra}{end}")
}

fn parse_request(text: &str) -> Request {
    match parse(&wire(text), Carriage::Datagram) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?} from {text}"),
    }
}

fn status_of(text: &str) -> u16 {
    let fault = parse(&wire(text), Carriage::Datagram).expect_err(text);
    let response = fault.response().unwrap_or_else(|| panic!("no answer to {text}"));
    assert!(response.top_via().is_some(), "{text}");
    assert_eq!(response.status(), fault.status);
    fault.status
}

const SDP: &str = "v=0\no=mhandley 29739 7272939 IN IP4 192.0.2.3\ns=-\nc=IN IP4 192.0.2.4\n\
    t=0 0\nm=audio 49217 RTP/AVP 0 12\nm=video 3227 RTP/AVP 31\na=rtpmap:31 LPC\n";

#[test]
fn wsinv_a_short_tortuous_invite() {
    let text = format!(
        r#"INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : {}
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

{SDP}"#,
        wire(SDP).len()
    );
    let request = parse_request(&text);
    assert_eq!(request.to().unwrap().tag(), Some("1918181833n"));
    let from = request.from().unwrap();
    assert_eq!(from.display.as_deref(), Some(r#"J Rosenberg \""#));
    assert_eq!(from.tag(), Some("98asjd8"));
    assert_eq!(request.max_forwards(), Some(68));
    assert_eq!(request.cseq(), Some(CSeq { number: 9, method: Method::Invite }));
    let vias = request.vias();
    let transports: Vec<&str> = vias.iter().map(|via| via.transport.as_str()).collect();
    assert_eq!(transports, ["UDP", "TCP", "UDP"]);
    assert!(!vias[0].has_unique_branch() && vias[1].has_unique_branch());
    assert_eq!(vias[2].branch(), Some("z9hG4bK30239"));
    assert!(request.routes()[0].uri.is_loose_router());
    let contact = &request.contacts()[0];
    assert_eq!(contact.display.as_deref(), Some(r#"Quoted string """#));
    assert_eq!(contact.params.value("newparam"), Some("newvalue"));
    assert_eq!(
        request.header("newfangledheader"),
        Some("newfangled value continued newfangled value")
    );
    assert_eq!(request.header("Subject"), Some(""));
    assert_eq!(request.body(), wire(SDP));
}

#[test]
fn intmeth_a_wide_range_of_valid_characters() {
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    let text = format!(
        "{method} sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~\
         d_too.(doesn't-it)@example.com SIP/2.0\n\
         Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\n\
         To: \"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7F\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?\
         ,/;;*@example.com>\n\
         From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\
         \"\u{440}\u{430}\u{431}\u{43e}\u{442}\u{430}\";tag=_token~1'+`*%!-.\n\
         Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}}{{\n\
         CSeq: 139122385 {method}\n\
         Max-Forwards: 255\n\
         extensionHeader-!.%*+_`'~: \u{fffe}\u{5927}\u{505c}\u{96fb}\n\
         Content-Length: 0\n\n"
    );
    let request = parse_request(&text);
    assert!(matches!(request.method(), Method::Other(_)));
    assert_eq!(request.method().as_str(), method);
    assert_eq!(request.max_forwards(), Some(255));
    assert_eq!(request.from().unwrap().tag(), Some("_token~1'+`*%!-."));
    assert!(request.uri().user().unwrap().starts_with("1_unusual"));
    assert_eq!(request.to().unwrap().display.as_deref(), Some("BEL: NUL: DEL:"));
}

#[test]
fn well_formed_requests_are_read() {
    let long_user = "extremely-long".repeat(300);
    let longreq = format!(
        "To: \"{}\" <sip:{long_user}@example.com>\nFrom: <sip:{long_user}@x.example>;tag=1{}\n\
         Unknown-{}: {}\nContact: <sip:{long_user}@host5.example.net>\n",
        "I have a user name of ".repeat(50),
        "2".repeat(2_000),
        "Long-".repeat(100),
        "value ".repeat(1_000),
    );
    let transports = "Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw\n\
        Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf\n\
        Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj\n\
        Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en\n\
        Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee\n";
    let inv = "INVITE sip:user@example.com SIP/2.0";
    let reg = "REGISTER sip:example.com SIP/2.0";
    let opt = "OPTIONS sip:user@example.com SIP/2.0";
    let cases = [
        (
            "esc01",
            request(
                "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0",
                "To: sip:%75se%72@example.com\nFrom: <sip:I%20have%20spaces@example.net>;tag=938\nContact: <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>\n",
            ),
        ),
        (
            "esc02",
            request(
                "RE%47IST%45R sip:registrar.example.com SIP/2.0",
                "To: \"%Z%45\" <sip:resource@example.com>\nFrom: \"%Z%45\" <sip:resource@example.com>;tag=f2\n",
            ),
        ),
        (
            "escnull",
            request(
                reg,
                "To: sip:null-%00-null@example.com\nContact: <sip:%00@host5.example.com>\nContact: <sip:%00%00@host5.example.com>\n",
            ),
        ),
        ("lwsdisp", request(opt, "From: caller<sip:caller@example.com>;tag=323\n")),
        ("longreq", request(inv, &longreq)),
        ("semiuri", request("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", "")),
        ("transports", request(opt, transports)),
        ("badbranch", request(opt, "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK\n")),
        ("unkscm", request("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", "")),
        ("novelsc", request("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", "")),
        (
            "unksm2",
            request(
                reg,
                "To: isbn:2983792873\nFrom: <http://www.example.com>;tag=3234233\nContact: <name:John_Smith>\n",
            ),
        ),
        (
            "bext01",
            request(
                opt,
                "Require: nothingSupportsThis, nothingSupportsThisEither\nProxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\n",
            ),
        ),
        ("invut", request(inv, "Content-Type: application/unknownformat\nContent-Length: 2\n\nxx")),
        ("regaut01", request(reg, "Authorization: NoOneKnowsThisScheme opaque-data=here\n")),
        ("zeromf", request(opt, "Max-Forwards: 0\n")),
        ("cparam01", request(reg, "Contact: sip:+19725552222@gw1.example.net;unknownparam\n")),
        ("cparam02", request(reg, "Contact: <sip:+19725552222@gw1.example.net;unknownparam>\n")),
        (
            "regescrt",
            request(reg, "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>\n"),
        ),
        ("sdp01", request(inv, "Accept: text/nobodyKnowsThis\n")),
        ("baddate", request(inv, "Date: Fri, 01 Jan 2010 16:00:00 EST\n")),
    ];
    for (name, text) in cases {
        let request = parse_request(&text);
        let again =
            parse_request(&String::from_utf8(request.to_bytes()).unwrap().replace('\r', ""));
        assert_eq!(request, again, "{name}");
        match name {
            "esc01" => {
                assert_eq!(request.uri().user(), Some("sips%3Auser%40example.com"));
                assert!(!request.contacts()[0].uri.is_loose_router());
            }
            "esc02" => assert_eq!(request.method().as_str(), "RE%47IST%45R"),
            "escnull" => assert_eq!(request.contacts()[1].uri.user(), Some("%00%00")),
            "lwsdisp" => {
                let from = request.from().unwrap();
                assert_eq!((from.display.as_deref(), from.tag()), (Some("caller"), Some("323")));
            }
            "semiuri" => assert_eq!(request.uri().user(), Some("user;par=u%40example.net")),
            "transports" => assert_eq!(request.vias()[3].transport, "UNKNOWN"),
            "badbranch" => assert!(!request.top_via().unwrap().has_unique_branch()),
            "unkscm" => assert_eq!(request.uri().scheme(), "nobodyknowsthisscheme"),
            "novelsc" => assert!(!request.uri().is_sip()),
            "unksm2" => assert_eq!(request.to().unwrap().uri.scheme(), "isbn"),
            "bext01" => {
                let expected = ["nothingSupportsThis", "nothingSupportsThisEither"];
                assert_eq!(request.require(), expected);
            }
            "invut" => assert_eq!(request.content_type(), Some("application/unknownformat")),
            "zeromf" => assert_eq!(request.max_forwards(), Some(0)),
            "cparam01" => assert!(request.contacts()[0].params.has("unknownparam")),
            "cparam02" => {
                let contact = &request.contacts()[0];
                assert!(contact.params.is_empty() && contact.uri.param("unknownparam").is_some());
            }
            "regescrt" => assert!(request.contacts()[0].uri.headers().is_some()),
            "sdp01" => assert_eq!(request.list("Accept"), ["text/nobodyKnowsThis"]),
            _ => {}
        }
    }
}

#[test]
fn dblreq_what_follows_the_body_in_a_datagram_is_ignored() {
    let first = request("REGISTER sip:example.com SIP/2.0", "Content-Length: 0\n");
    let second = request("INVITE sip:joe@example.com SIP/2.0", "Content-Length: 0\n");
    let request = parse_request(&format!("{first}{second}"));
    assert_eq!(*request.method(), Method::Register);
    assert!(request.body().is_empty());
}

#[test]
fn mpart01_a_body_may_hold_any_bytes() {
    let body: Vec<u8> = (0..=255).collect();
    let head = request(
        "MESSAGE sip:kumiko@example.org SIP/2.0",
        "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\n",
    );
    let mut bytes = wire(&head);
    bytes.extend_from_slice(&body);
    let Ok(Message::Request(request)) = parse(&bytes, Carriage::Datagram) else { panic!() };
    assert_eq!(request.body(), body);
    assert_eq!(request.content_type(), Some("multipart/mixed"));
}

fn response(start: &str, extra: &str) -> Vec<u8> {
    let text = request("INVITE x", extra);
    wire(&text.replacen("INVITE x", start, 1))
}

#[test]
fn unreason_and_noreason_and_bcast_are_responses() {
    let cases = [
        ("SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e}", 200, "= 2**3 * 5**2 \u{43d}\u{43e}", ""),
        ("SIP/2.0 100 ", 100, "", ""),
        ("SIP/2.0 200 OK", 200, "OK", "Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324\n"),
    ];
    for (start, status, reason, extra) in cases {
        let parsed = parse(&response(start, extra), Carriage::Datagram);
        let Ok(Message::Response(response)) = parsed else { panic!("{parsed:?}") };
        assert_eq!((response.status(), response.reason()), (status, reason));
    }
}

#[test]
fn scalarlg_and_bigcode_are_dropped() {
    let cases = [
        response("SIP/2.0 503 Service Unavailable", "CSeq: 9292394834772304023312 OPTIONS\n"),
        response("SIP/2.0 4294967301 better not break the receiver", ""),
        response("SIP/2.0 99 low", ""),
        response("SIP/2.0 200 OK", "Content-Length: 10\n"),
    ];
    for bytes in cases {
        let fault = parse(&bytes, Carriage::Datagram).unwrap_err();
        assert_eq!(fault.echo, None);
        assert_eq!(fault.response(), None);
    }
}

#[test]
fn malformed_requests_are_answered_400() {
    let inv = "INVITE sip:user@example.com SIP/2.0";
    let reg = "REGISTER sip:example.com SIP/2.0";
    let opt = "OPTIONS sip:user@example.com SIP/2.0";
    let cases = [
        (
            "badinv01",
            request(
                inv,
                "Via: SIP/2.0/UDP 192.0.2.15;;,;,,\nContact: \"Joe\" <sip:joe@example.org>;;;;\n",
            ),
        ),
        ("clerr", request(inv, "Content-Length: 9999\n\nshort")),
        ("ncl", request(inv, "Content-Length: -999\n\nshort")),
        ("scalar02", request(reg, "CSeq: 36893488147419103232 REGISTER\n")),
        ("scalar02, second scalar", request(reg, "Max-Forwards: 300\n")),
        ("quotbal", request(inv, "To: \"Mr. J. User <sip:j.user@example.com>\n")),
        ("ltgtruri", request("INVITE <sip:user@example.com> SIP/2.0", "")),
        ("lwsruri", request("INVITE sip:user@example.com; lr SIP/2.0", "")),
        ("lwsstart", request("INVITE  sip:user@example.com  SIP/2.0", "")),
        ("trws", request("OPTIONS sip:remote-target@example.com SIP/2.0  ", "")),
        ("escruri", request("INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0", "")),
        (
            "regbadct",
            request(reg, "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\n"),
        ),
        ("badaspec", request(opt, "To: \"Watson, Thomas\" < t.watson@example.org >\n")),
        ("baddn", request(opt, "From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43\n")),
        ("mismatch01", request(opt, "CSeq: 8 INVITE\n")),
        ("mismatch02", request("NEWMETHOD sip:user@example.com SIP/2.0", "CSeq: 8 INVITE\n")),
        (
            "insuf",
            format!(
                "{inv}\nCSeq: 193942 INVITE\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\nContent-Length: 0\n\n"
            ),
        ),
        (
            "multi01",
            request(
                inv,
                "CSeq: 5 INVITE\nCSeq: 59 INVITE\nCall-ID: a@b\nCall-ID: c@d\nFrom: <sip:a@b>;tag=1\nFrom: <sip:c@d>;tag=2\n",
            ),
        ),
        ("mcl01", request(opt, "Content-Length: 13\nContent-Length: 5\n\nThere's no way")),
    ];
    for (name, text) in cases {
        assert_eq!(status_of(&text), 400, "{name}");
    }
}

#[test]
fn badvers_is_answered_505() {
    let text = request(
        "OPTIONS sip:t.watson@example.org SIP/7.0",
        "Via: SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw\n",
    );
    assert_eq!(status_of(&text), 505);
}

#[test]
fn inv2543_an_invite_of_the_old_rfc_is_read() {
    let text = format!(
        "INVITE sip:UserB@example.com SIP/2.0\n\
         Via: SIP/2.0/UDP iftgw.example.com\n\
         From: <sip:+13035551111@ift.client.example.net;user=phone>\n\
         Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>\n\
         To: sip:+16505552222@ss1.example.net;user=phone\n\
         Call-ID: inv2543.1717@ift.client.example.com\n\
         CSeq: 56 INVITE\n\
         Content-Type: application/sdp\n\n{SDP}"
    );
    let request = parse_request(&text);
    assert_eq!(request.from().unwrap().tag(), None);
    assert_eq!(request.top_via().unwrap().branch(), None);
    assert_eq!(request.max_forwards(), None);
    assert_eq!(request.record_routes()[0].uri.param("maddr"), Some("ss1.example.com"));
    let answer = response_to(&request, 200, Some("t"));
    assert_eq!(answer.to().unwrap().tag(), Some("t"));
}

#[test]
fn ipv6_addresses_of_rfc_5118_are_read() {
    let ip = |text: &str| Some(Host::Ip(text.parse().unwrap()));
    // (name, request line's URI, host, port)
    let uris = [
        ("ipv6-good", "sip:[2001:db8::10]", "2001:db8::10", None),
        ("port-ambiguous", "sip:[2001:db8::10:5070]", "2001:db8::10:5070", None),
        ("port-unambiguous", "sip:[2001:db8::10]:5070", "2001:db8::10", Some(5070)),
        ("ipv6-bug-abnf-3-colons", "sip:user@[2001:db8:::192.0.2.1]", "2001:db8::192.0.2.1", None),
        (
            "ipv6-correct-abnf-2-colons",
            "sip:user@[2001:db8::192.0.2.1]",
            "2001:db8::192.0.2.1",
            None,
        ),
        ("ipv4-mapped-ipv6", "sip:[::ffff:192.0.2.10]", "::ffff:192.0.2.10", None),
    ];
    for (name, uri, host, port) in uris {
        let request = parse_request(&request(&format!("REGISTER {uri} SIP/2.0"), ""));
        assert_eq!(request.uri().host().cloned(), ip(host), "{name}");
        assert_eq!(request.uri().port(), port, "{name}");
    }
    let bad = request("REGISTER sip:2001:db8::10 SIP/2.0", "");
    assert_eq!(status_of(&bad), 400, "ipv6-bad");
    for received in ["[2001:db8::9:255]", "2001:db8::9:255"] {
        let via =
            format!("Via: SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3\n");
        let request = parse_request(&request("BYE sip:[2001:db8::10] SIP/2.0", &via));
        let via = request.top_via().unwrap();
        assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
        assert_eq!(Some(via.host), ip("2001:db8::9:1"));
    }
    let mixed = "Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111\n\
        Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144\n\
        Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200\n\
        Contact: <sip:caller@[2001:db8::20]>, <sip:caller@192.0.2.20>\n";
    let request = parse_request(&request("BYE sip:user@host.example.net SIP/2.0", mixed));
    let vias = request.vias();
    assert_eq!((vias[0].port, vias.len(), request.contacts().len()), (Some(6050), 3, 2));
    assert_eq!(vias[2].received(), Some("192.0.2.200".parse().unwrap()));
    for body in ["c=IN IP6 2001:db8::20\n", "c=IN IP6 2001:db8::1\nc=IN IP4 192.0.2.10\n"] {
        let text = format!("Content-Type: application/sdp\n\n{body}");
        let request =
            parse_request(&self::request("INVITE sip:user@[2001:db8::10] SIP/2.0", &text));
        assert_eq!(request.body(), wire(body), "ipv6-in-sdp, mult-ip-in-sdp");
    }
}
