//! Charts and cards as PNG: drawn with two faces of our own and nothing of the machine's, one at a time, and kept.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb},
};
use sha2::{Digest, Sha256};
use tokio::{sync::Semaphore, time::timeout};

use crate::{Service, error::AppError};

/// Pictures kept; a card has some 40 KB.
const KEPT: usize = 256;
/// How long a picture may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Two faces that have Latin, Greek and Cyrillic letters; see `static/fonts/LICENSE`.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(include_bytes!("../../../static/fonts/DejaVuSans.ttf").to_vec());
    fonts.load_font_data(include_bytes!("../../../static/fonts/DejaVuSans-Bold.ttf").to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

/// Draws pictures and remembers the last ones by what they are drawn from, whichever board they belong to.
pub(crate) struct Pictures {
    /// One core at most draws, whatever strangers ask for.
    turn: Semaphore,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    pictures: HashMap<[u8; 32], Arc<[u8]>>,
    /// The oldest first.
    order: VecDeque<[u8; 32]>,
}

impl Default for Pictures {
    fn default() -> Self {
        Self { turn: Semaphore::new(1), kept: Mutex::default() }
    }
}

impl Pictures {
    /// An SVG as PNG, `scale` pixels a user unit.
    pub(crate) async fn png(&self, svg: String, scale: f32) -> Result<Arc<[u8]>, AppError> {
        let key: [u8; 32] =
            Sha256::new().chain_update(scale.to_le_bytes()).chain_update(svg.as_bytes()).finalize().into();
        if let Some(picture) = self.find(&key) {
            return Ok(picture);
        }
        let turn = timeout(PATIENCE, self.turn.acquire()).await.map_err(|_| AppError::TimedOut)?;
        let _turn = turn.map_err(|error| AppError::Internal(error.to_string()))?;
        // Somebody may have asked for the same meanwhile.
        if let Some(picture) = self.find(&key) {
            return Ok(picture);
        }
        let drawn = tokio::task::spawn_blocking(move || draw(&svg, scale)).await;
        let picture: Arc<[u8]> = drawn.map_err(|error| AppError::Internal(error.to_string()))??.into();
        self.keep(key, Arc::clone(&picture));
        Ok(picture)
    }

    fn find(&self, key: &[u8; 32]) -> Option<Arc<[u8]>> {
        self.lock().pictures.get(key).cloned()
    }

    fn keep(&self, key: [u8; 32], picture: Arc<[u8]>) {
        let mut kept = self.lock();
        if kept.pictures.insert(key, picture).is_none() {
            kept.order.push_back(key);
        }
        while kept.order.len() > KEPT {
            if let Some(oldest) = kept.order.pop_front() {
                kept.pictures.remove(&oldest);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A picture as the answer to a request.
pub(crate) async fn answer(service: &Service, svg: String, scale: f32) -> Result<Response, AppError> {
    let picture = service.pictures.png(svg, scale).await?;
    let headers = [(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "public, max-age=300")];
    Ok((headers, picture.to_vec()).into_response())
}

fn draw(svg: &str, scale: f32) -> Result<Vec<u8>, AppError> {
    let failed =
        |what: &dyn std::fmt::Display| AppError::Internal(format!("drawing a picture failed: {what}"));
    let options =
        Options { fontdb: Arc::clone(&FONTS), font_family: "DejaVu Sans".to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| failed(&error))?;
    let size =
        tree.size().to_int_size().scale_by(scale).ok_or_else(|| failed(&"its size is not drawable"))?;
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or_else(|| failed(&"it is too large"))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVG: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20" fill="#fff"/><text x="2" y="15" font-size="14">Wm</text></svg>"##;

    #[tokio::test]
    async fn a_picture_has_the_size_asked_for_and_its_letters_are_drawn() {
        let png = Pictures::default().png(SVG.to_owned(), 2.0).await.unwrap();
        let pixels = Pixmap::decode_png(&png).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (80, 40));
        assert!(pixels.pixels().iter().any(|pixel| pixel.red() < 64), "no ink: the face is missing");
    }

    #[tokio::test]
    async fn the_same_picture_is_drawn_once_and_not_all_are_kept() {
        let pictures = Pictures::default();
        let first = pictures.png(SVG.to_owned(), 1.0).await.unwrap();
        let again = pictures.png(SVG.to_owned(), 1.0).await.unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        for number in 0..KEPT as u64 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_le_bytes());
            pictures.keep(key, Arc::clone(&first));
        }
        assert_eq!(pictures.lock().pictures.len(), KEPT);
        assert!(!Arc::ptr_eq(&first, &pictures.png(SVG.to_owned(), 1.0).await.unwrap()));
    }

    #[tokio::test]
    async fn nonsense_is_an_error_and_no_panic() {
        assert!(Pictures::default().png("<svg".to_owned(), 1.0).await.is_err());
    }
}
