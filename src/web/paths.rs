//! The list of paths as it is built: what answers, and what it needs, are said in one place.
//!
//! ```ignore
//! Paths::default().post("/webrtc/offer", Needs::Scope(Scope::Webrtc), offer)
//! ```

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::routing::{self, MethodRouter};

use super::access::{Caller, Needs, admit};
use super::routes::Interface;

/// One method of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub method: &'static str,
    pub path: &'static str,
    pub needs: Needs,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Paths {
    router: Router<Interface>,
    entries: Vec<Entry>,
}

impl Paths {
    pub fn get<H, T>(self, path: &'static str, needs: Needs, answer: H) -> Self
    where
        H: Handler<T, Interface>,
        T: 'static,
    {
        self.add(Entry { method: "get", path, needs }, routing::get(answer))
    }

    pub fn post<H, T>(self, path: &'static str, needs: Needs, answer: H) -> Self
    where
        H: Handler<T, Interface>,
        T: 'static,
    {
        self.add(Entry { method: "post", path, needs }, routing::post(answer))
    }

    pub fn delete<H, T>(self, path: &'static str, needs: Needs, answer: H) -> Self
    where
        H: Handler<T, Interface>,
        T: 'static,
    {
        self.add(Entry { method: "delete", path, needs }, routing::delete(answer))
    }

    pub fn patch<H, T>(self, path: &'static str, needs: Needs, answer: H) -> Self
    where
        H: Handler<T, Interface>,
        T: 'static,
    {
        self.add(Entry { method: "patch", path, needs }, routing::patch(answer))
    }

    pub fn put<H, T>(self, path: &'static str, needs: Needs, answer: H) -> Self
    where
        H: Handler<T, Interface>,
        T: 'static,
    {
        self.add(Entry { method: "put", path, needs }, routing::put(answer))
    }

    fn add(mut self, entry: Entry, answer: MethodRouter<Interface>) -> Self {
        let answer = match entry.needs {
            Needs::Nothing => answer,
            needs => answer.route_layer(middleware::from_fn(
                move |caller: Caller, request: Request, next: Next| {
                    admit(needs, caller, request, next)
                },
            )),
        };
        self.router = self.router.route(entry.path, answer);
        self.entries.push(entry);
        self
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn into_router(self) -> Router<Interface> {
        self.router
    }
}
