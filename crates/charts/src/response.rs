//! Pictures of a room impulse response, as files: how it decays, and its spectrogram.

use std::fmt::Write as _;

use crate::svg::Escaped;

/// Custom properties for a chart without a page around it.
const STANDALONE: &str = include_str!("../standalone.css");
/// The looks of these pictures.
const LOOKS: &str = ".picture text { font-size: 12px; fill: var(--chart-faint); } \
                     .picture .grid { stroke: var(--chart-rule); fill: none; } \
                     .picture .energy { stroke: var(--chart-faint); fill: none; } \
                     .picture .decay { stroke: var(--chart-accent); stroke-width: 2; fill: none; } \
                     .picture .cell { fill: var(--chart-ink); }";

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 36.0;
/// The lowest level that is drawn, in decibels below the highest.
const FLOOR_DB: f64 = -60.0;
/// Steps of grey in a spectrogram.
const GREYS: usize = 8;

/// Level over time: energy in short windows and what is left of it (Schroeder's backward integral).
#[derive(Debug, Clone)]
pub struct Decay<'a> {
    /// What it is of: its accessible name.
    pub title: &'a str,
    /// Seconds from one value to the next.
    pub step_seconds: f64,
    /// Energy in each window, in decibels below the highest.
    pub energy_db: &'a [f64],
    /// What is left from there on, in decibels below all of it.
    pub left_db: &'a [f64],
}

/// Level over time and frequency.
#[derive(Debug, Clone)]
pub struct Spectrogram<'a> {
    /// What it is of: its accessible name.
    pub title: &'a str,
    /// Seconds from one column to the next.
    pub step_seconds: f64,
    /// Centres of the bands in hertz, rising; of one width on a logarithmic scale.
    pub bands_hz: &'a [f64],
    /// Columns of one level a band, in decibels below the highest of all.
    pub columns: &'a [Vec<f64>],
}

/// Draws how a response decays, from 0 to −60 dB.
pub fn decay(decay: &Decay<'_>) -> String {
    let end = decay.step_seconds * decay.energy_db.len().max(decay.left_db.len()).max(1) as f64;
    let mut body = String::new();
    for level in [0.0, -20.0, -40.0, -60.0] {
        let y = level_y(level);
        let _ = write!(
            body,
            r#"<path class="grid" d="M{LEFT} {y:.1}H{:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{level:.0} dB</text>"#,
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0
        );
    }
    body.push_str(&time_axis(end));
    for (class, levels) in [("energy", decay.energy_db), ("decay", decay.left_db)] {
        let mut path = String::new();
        for (n, level) in levels.iter().enumerate().filter(|(_, level)| **level >= FLOOR_DB) {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let x = LEFT + (WIDTH - LEFT - RIGHT) * decay.step_seconds * (n as f64 + 0.5) / end;
            let _ = write!(path, "{command}{x:.1} {:.1}", level_y(*level));
        }
        let _ = write!(body, r#"<path class="{class}" d="{path}"/>"#);
    }
    document(decay.title, &body)
}

/// Draws a spectrogram: the darker the louder, from −60 dB to 0.
pub fn spectrogram(spectrogram: &Spectrogram<'_>) -> String {
    let end = spectrogram.step_seconds * spectrogram.columns.len().max(1) as f64;
    let bands = spectrogram.bands_hz.len().max(1);
    let (cell_width, cell_height) = (
        (WIDTH - LEFT - RIGHT) / spectrogram.columns.len().max(1) as f64,
        (HEIGHT - TOP - BOTTOM) / bands as f64,
    );
    // One path for each grey: far smaller than an element for each cell.
    let mut paths = vec![String::new(); GREYS];
    for (column, levels) in spectrogram.columns.iter().enumerate() {
        for (band, level) in levels.iter().enumerate().take(bands) {
            let share = ((level - FLOOR_DB) / -FLOOR_DB).clamp(0.0, 1.0);
            let grey = (share * GREYS as f64).ceil() as usize;
            if grey == 0 || !level.is_finite() {
                continue;
            }
            let x = LEFT + column as f64 * cell_width;
            let y = HEIGHT - BOTTOM - (band + 1) as f64 * cell_height;
            let _ =
                write!(paths[grey - 1], "M{x:.1} {y:.1}h{cell_width:.2}v{cell_height:.2}h-{cell_width:.2}z");
        }
    }
    let mut body = String::new();
    for (grey, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let opacity = (grey + 1) as f64 / GREYS as f64;
        let _ = write!(body, r#"<path class="cell" fill-opacity="{opacity:.2}" d="{path}"/>"#);
    }
    for (band, hertz) in spectrogram.bands_hz.iter().enumerate() {
        if let Some(label) = octave_label(*hertz) {
            let y = HEIGHT - BOTTOM - (band as f64 + 0.5) * cell_height + 4.0;
            let _ =
                write!(body, r#"<text x="{:.1}" y="{y:.1}" text-anchor="end">{label}</text>"#, LEFT - 6.0);
        }
    }
    body.push_str(&time_axis(end));
    document(spectrogram.title, &body)
}

fn level_y(level: f64) -> f64 {
    TOP + (HEIGHT - TOP - BOTTOM) * (level / FLOOR_DB).clamp(0.0, 1.0)
}

/// Bands at every second octave are named.
fn octave_label(hertz: f64) -> Option<&'static str> {
    let named = [(125.0, "125 Hz"), (500.0, "500 Hz"), (2_000.0, "2 kHz"), (8_000.0, "8 kHz")];
    named.into_iter().find(|(centre, _)| (hertz / centre).log2().abs() < 0.1).map(|(_, label)| label)
}

/// At most six round times.
fn time_axis(end: f64) -> String {
    let step = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0].into_iter().find(|step| end / step <= 6.0);
    let step = step.unwrap_or(end);
    let mut axis = String::new();
    let mut time = 0.0;
    while time <= end + 1e-9 {
        let x = LEFT + (WIDTH - LEFT - RIGHT) * time / end;
        let _ = write!(
            axis,
            r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{time:.2} s</text>"#,
            HEIGHT - BOTTOM + 18.0
        );
        time += step;
    }
    axis
}

fn document(title: &str, body: &str) -> String {
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{}</title><style>{STANDALONE} {LOOKS}</style><rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>{body}</svg>"#,
        Escaped(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decay_of_sixty_decibels_goes_from_corner_to_corner() {
        let levels: Vec<f64> = (0..=60).map(|n| -f64::from(n)).collect();
        let svg =
            decay(&Decay { title: "An <office>", step_seconds: 0.01, energy_db: &levels, left_db: &levels });
        assert!(svg.contains("An &lt;office&gt;") && svg.contains("L"));
        assert!(svg.contains(&format!(" {:.1}L", TOP)), "it begins at the top");
        assert!(svg.contains(&format!(" {:.1}\"/>", HEIGHT - BOTTOM)), "and ends at the bottom");
    }

    #[test]
    fn only_what_is_above_the_floor_is_drawn_and_the_loudest_is_black() {
        let svg = spectrogram(&Spectrogram {
            title: "t",
            step_seconds: 0.01,
            bands_hz: &[500.0, 1_000.0],
            columns: &[vec![0.0, -80.0], vec![f64::NEG_INFINITY, -59.0]],
        });
        assert_eq!(svg.matches("<path class=\"cell\"").count(), 2);
        assert!(svg.contains(r#"fill-opacity="1.00""#) && svg.contains("500 Hz"));
    }
}
