//! Kamailio as the telephone system that a box registers with.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use rcgen::PublicKeyData;
use sha2::{Digest, Sha256};

use super::folder::Folder;
use super::{peers, wait};

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(10);

/// The one realm and password that it lets register.
pub const REALM: &str = "telephones.example";
pub const PASSWORD: &str = "right-and-proper";

/// Stopped with its owner. It forgets all registrations with its end.
#[derive(Debug)]
pub struct Kamailio {
    child: Option<Child>,
    folder: Folder,
    pub address: SocketAddr,
    /// By TLS and secure WebSocket, with a certificate made out to its address.
    pub secure: SocketAddr,
    /// Of the key of that certificate, as `tls_pin` has it.
    pub pin: String,
}

impl Kamailio {
    /// It asks for digests by this algorithm.
    pub fn start(algorithm: &str) -> Self {
        Self::start_before(algorithm, None)
    }

    /// The same, and whom it does not know it looks for at `next`.
    pub fn start_before(algorithm: &str, next: Option<&Self>) -> Self {
        let next = next.map(|other| other.address);
        let loopback = Ipv4Addr::LOCALHOST.into();
        let [address, secure] =
            [0, 1].map(|_| SocketAddr::new(loopback, peers::free_port(loopback)));
        let folder = Folder::new("kamailio");
        let made = rcgen::generate_simple_self_signed([loopback.to_string()]).unwrap();
        folder.write("server.crt", made.cert.pem());
        folder.write("server.key", made.signing_key.serialize_pem());
        let digest = Sha256::digest(made.signing_key.subject_public_key_info());
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let at = folder.path().display();
        let tls = format!(
            "enable_tls=yes\nlisten=tls:{secure}\nloadmodule \"tls.so\"\n\
             modparam(\"tls\", \"certificate\", \"{at}/server.crt\")\n\
             modparam(\"tls\", \"tls_method\", \"TLSv1.2+\")\n\
             modparam(\"tls\", \"private_key\", \"{at}/server.key\")\n"
        );
        folder.write("kamailio.cfg", config(address, algorithm, &tls, next));
        let pin = format!("sha256:{digits}");
        let mut kamailio = Self { child: None, folder, address, secure, pin };
        kamailio.start_again();
        kamailio
    }

    /// With the same address and nobody registered.
    pub fn start_again(&mut self) {
        let log = File::create(self.folder.at("log")).unwrap();
        let child = Command::new("kamailio")
            .args(["-DD", "-E", "-m", "16", "-M", "4", "-f", "kamailio.cfg"])
            .arg("-Y")
            .arg(self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let found = wait::within(START, || self.status_of("nobody"));
        assert!(found.is_some(), "kamailio does not answer: {}", self.log());
    }

    /// Its main process ends the others, but one that was busy starting may have missed it.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let _ = kill(group, Signal::SIGTERM);
        let ended = wait::within(STOP, || child.try_wait().unwrap());
        let _ = killpg(group, Signal::SIGKILL);
        if ended.is_none() {
            let _ = child.wait();
        }
    }

    /// What vouches for it by TLS.
    pub fn certificate(&self) -> PathBuf {
        self.folder.at("server.crt")
    }

    pub fn log(&self) -> String {
        peers::tail(&self.folder.at("log"))
    }

    /// Whether this user is registered now.
    pub fn has(&self, user: &str) -> bool {
        self.status_of(user) == Some(200)
    }

    /// What it says of a user: 200 registered, 404 not; `None`: it does not answer.
    fn status_of(&self, user: &str) -> Option<u16> {
        options(Ipv4Addr::LOCALHOST, self.address, user)
    }
}

/// What is answered to OPTIONS from this address; `None`: nothing.
pub fn options(from: Ipv4Addr, peer: SocketAddr, user: &str) -> Option<u16> {
    let socket = UdpSocket::bind((from, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let own = socket.local_addr().unwrap();
    let ask = format!(
        "OPTIONS sip:{user}@{peer} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{port};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:test@{own}>;tag=t\r\nTo: <sip:{user}@{peer}>\r\n\
             Call-ID: {port}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        port = own.port(),
    );
    socket.send_to(ask.as_bytes(), peer).ok()?;
    let mut bytes = [0; 4_096];
    let (length, _) = socket.recv_from(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
    text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kamailio's log:\n{}", self.log());
        }
        self.stop();
    }
}

fn config(address: SocketAddr, algorithm: &str, tls: &str, next: Option<SocketAddr>) -> String {
    let unknown = match next {
        Some(next) => format!("$du = \"sip:{next}\"; t_relay(); exit;"),
        None => "if (uri != myself) { t_relay(); exit; } sl_send_reply(\"404\", \"Nobody\"); exit;"
            .to_owned(),
    };
    let modules =
        "tm sl rr pv maxfwd outbound usrloc registrar textops siputils nathelper auth xhttp websocket"
            .split(' ');
    let modules: String = modules.map(|module| format!("loadmodule \"{module}.so\"\n")).collect();
    format!(
        "#!KAMAILIO\n\
         debug=1\nlog_stderror=yes\nchildren=2\ntcp_children=2\nauto_aliases=no\nalias=\"{REALM}\"\n\
         listen=udp:{address}\nlisten=tcp:{address}\n\
         tcp_accept_no_cl=yes\n\
         {tls}{modules}\
         modparam(\"registrar\", \"min_expires\", 60)\n\
         modparam(\"registrar\", \"outbound_mode\", 1)\n\
         modparam(\"registrar\", \"flow_timer\", 30)\n\
         modparam(\"nathelper|registrar\", \"received_avp\", \"$avp(received)\")\n\
         modparam(\"auth\", \"algorithm\", \"{algorithm}\")\n\
         request_route {{\n\
         force_rport();\n\
         # A page has no address that could be called: the connection is remembered in its Contact.\n\
         if ($ct =~ \"\\.invalid\") {{\n\
           if (is_method(\"REGISTER\")) fix_nated_register(); else add_contact_alias();\n\
         }}\n\
         if (!mf_process_maxfwd_header(\"10\")) {{ sl_send_reply(\"483\", \"Too Many Hops\"); exit; }}\n\
         if (is_method(\"CANCEL\")) {{ if (t_check_trans()) t_relay(); exit; }}\n\
         if (has_totag()) {{\n\
           if (loose_route()) {{\n\
             if ($du == \"\") handle_ruri_alias();\n\
             t_relay(); exit;\n\
           }}\n\
           if (is_method(\"ACK\")) {{ if (t_check_trans()) t_relay(); exit; }}\n\
           sl_send_reply(\"404\", \"Not Here\"); exit;\n\
         }}\n\
         if (is_method(\"REGISTER\")) {{\n\
           if (!pv_www_authenticate(\"{REALM}\", \"{PASSWORD}\", \"0\")) {{\n\
             www_challenge(\"{REALM}\", \"1\"); exit;\n\
           }}\n\
           if (!save(\"location\")) sl_reply_error();\n\
           exit;\n\
         }}\n\
         if (is_method(\"OPTIONS\")) {{\n\
           if ($rU == $null || lookup(\"location\")) sl_send_reply(\"200\", \"OK\");\n\
           else sl_send_reply(\"404\", \"Nobody\");\n\
           exit;\n\
         }}\n\
         if (is_method(\"INVITE\")) {{\n\
           record_route();\n\
           if (lookup(\"location\")) {{ t_relay(); exit; }}\n\
           {unknown}\n\
         }}\n\
         sl_send_reply(\"405\", \"Not Allowed\");\n\
         }}\n\
         event_route[xhttp:request] {{\n\
         if ($hdr(Upgrade) =~ \"websocket\" && ws_handle_handshake()) exit;\n\
         xhttp_reply(\"404\", \"Not Found\", \"\", \"\");\n\
         }}\n"
    )
}
