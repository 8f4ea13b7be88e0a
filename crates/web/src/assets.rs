//! Style sheet, script and icon, compiled in.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

use crate::{error::AppError, extract::Path};

const ASSETS: [(&str, &str, &str); 6] = [
    ("ffasr.css", "text/css; charset=utf-8", include_str!("../../../static/ffasr.css")),
    ("chart.css", "text/css; charset=utf-8", charts::STYLESHEET),
    ("ffasr.js", "text/javascript; charset=utf-8", include_str!("../../../static/ffasr.js")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("../../../static/live.js")),
    ("upload.js", "text/javascript; charset=utf-8", include_str!("../../../static/upload.js")),
    ("favicon.svg", "image/svg+xml", include_str!("../../../static/favicon.svg")),
];

pub(crate) async fn asset(Path(name): Path<String>) -> Result<Response, AppError> {
    let (_, content_type, content) = ASSETS
        .iter()
        .find(|(file, ..)| *file == name)
        .ok_or_else(|| AppError::NotFound("such file".to_owned()))?;
    let headers = [(header::CONTENT_TYPE, *content_type), (header::CACHE_CONTROL, "public, max-age=3600")];
    Ok((headers, *content).into_response())
}
