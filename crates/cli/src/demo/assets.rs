//! The page and what belongs to it, embedded: one binary is the whole demo.

/// One file.
#[derive(Debug)]
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) text: &'static str,
}

/// All of them.
pub(super) const ALL: &[Asset] = &[
    Asset {
        path: "/",
        content_type: "text/html; charset=utf-8",
        text: include_str!("../../assets/index.html"),
    },
    Asset { path: "/icon.svg", content_type: "image/svg+xml", text: include_str!("../../assets/icon.svg") },
    Asset {
        path: "/app.css",
        content_type: "text/css; charset=utf-8",
        text: include_str!("../../assets/app.css"),
    },
    Asset {
        path: "/app.js",
        content_type: "text/javascript; charset=utf-8",
        text: include_str!("../../assets/app.js"),
    },
];
