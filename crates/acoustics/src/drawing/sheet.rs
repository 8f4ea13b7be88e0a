//! The sheet around a drawing: heading, measures, scale bar, legend.

use glam::{DVec2, DVec3, dvec2};

use super::{
    Embedding, STYLESHEET,
    canvas::{Canvas, Frame, escaped, text_width},
    markers::{Marker, MarkerKind},
};
use crate::{Air, FurnishedRoom, convex};

/// Width of every sheet.
const WIDTH: f64 = 800.0;
/// Height that the room may take.
const MOST_HEIGHT: f64 = 560.0;
const MARGIN: f64 = 64.0;
const TOP: f64 = 78.0;
const LINE: f64 = 20.0;
/// No drawing is larger than this, in units for a metre.
const MOST_SCALE: f64 = 150.0;

/// Where the room goes on the sheet.
pub(super) fn frame(low: DVec2, high: DVec2) -> Frame {
    let size = (high - low).max(DVec2::splat(0.1));
    let scale = ((WIDTH - 2.0 * MARGIN) / size.x).min(MOST_HEIGHT / size.y).min(MOST_SCALE);
    let origin = dvec2(0.5 * (WIDTH - scale * size.x), TOP + scale * size.y);
    Frame { low, high, origin, scale }
}

/// The finished document.
pub(super) fn finish(
    mut canvas: Canvas,
    frame: Frame,
    room: &FurnishedRoom,
    kind: &str,
    markers: &[Marker],
    key: &[(&str, &str)],
    embedding: Embedding,
) -> String {
    measures(&mut canvas, frame);
    let [_, right_lower] = frame.corners();
    let mut bottom = right_lower.y + 62.0;
    let metre = if frame.scale < 60.0 { 2.0 } else { 1.0 };
    let bar = dvec2(MARGIN + metre * frame.scale, bottom);
    canvas.line("rule", &[dvec2(MARGIN, bottom - 4.0), dvec2(MARGIN, bottom), bar, bar - dvec2(0.0, 4.0)]);
    canvas.text("measure", bar + dvec2(6.0, 4.0), &format!("{metre} m"));
    draw_key(&mut canvas, dvec2(bar.x + 60.0, bottom), key);
    bottom += 30.0;
    let height = legend(&mut canvas, bottom, markers) + 16.0;
    document(canvas, height, room, kind, embedding)
}

/// Width and height of the room's bounds, below and to the left.
fn measures(canvas: &mut Canvas, frame: Frame) {
    let [upper, lower] = frame.corners();
    let size = frame.high - frame.low;
    let below = lower.y + 30.0;
    let tick = dvec2(0.0, 4.0);
    let [from, to] = [dvec2(upper.x, below), dvec2(lower.x, below)];
    canvas.line("rule", &[from - tick, from + tick]);
    canvas.line("rule", &[to - tick, to + tick]);
    canvas.line("rule", &[from, to]);
    canvas.text("label measure", 0.5 * (from + to) + dvec2(0.0, 13.0), &format!("{:.2} m", size.x));
    let beside = upper.x - 30.0;
    let tick = dvec2(4.0, 0.0);
    let [from, to] = [dvec2(beside, upper.y), dvec2(beside, lower.y)];
    canvas.line("rule", &[from - tick, from + tick]);
    canvas.line("rule", &[to - tick, to + tick]);
    canvas.line("rule", &[from, to]);
    canvas.upright_text("label measure", 0.5 * (from + to) - dvec2(6.0, 0.0), &format!("{:.2} m", size.y));
}

/// What lines and areas mean.
fn draw_key(canvas: &mut Canvas, at: DVec2, key: &[(&str, &str)]) {
    let mut x = at.x;
    for (class, words) in key {
        let corners = [(0.0, -9.0), (18.0, -9.0), (18.0, 1.0), (0.0, 1.0)];
        canvas.outlines(class, &[corners.map(|(dx, dy)| dvec2(x + dx, at.y + dy)).to_vec()], "");
        canvas.text("measure", dvec2(x + 24.0, at.y), words);
        x += 24.0 + text_width(words, 11.0) + 18.0;
    }
}

/// All signs with their names, a column for each kind; gives where it ends.
fn legend(canvas: &mut Canvas, top: f64, markers: &[Marker]) -> f64 {
    let of_kind = |kind: MarkerKind| markers.iter().filter(move |marker| marker.kind == kind);
    let groups: [&[MarkerKind]; 3] =
        [&[MarkerKind::Talker, MarkerKind::Loudspeaker], &[MarkerKind::Noise], &[MarkerKind::Microphone]];
    let width = (WIDTH - 48.0) / 3.0;
    let mut bottom = top;
    for (column, kinds) in (0..).zip(groups) {
        let x = 24.0 + f64::from(column) * width;
        let mut y = top;
        for kind in kinds {
            if of_kind(*kind).next().is_none() {
                continue;
            }
            canvas.text("group", dvec2(x, y + 4.0), kind.heading());
            y += LINE + 3.0;
            for marker in of_kind(*kind) {
                marker.draw_sign(canvas, dvec2(x + 10.0, y));
                for line in lines(&marker.caption(), width - 36.0) {
                    canvas.text("caption", dvec2(x + 26.0, y + 4.0), &line);
                    y += LINE - 6.0;
                }
                y += 8.0;
            }
            y += 4.0;
        }
        bottom = bottom.max(y);
    }
    bottom
}

/// A text in lines no wider than this, broken at spaces.
fn lines(text: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if text_width(line, 11.0) + text_width(word, 11.0) + 6.0 < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn document(canvas: Canvas, height: f64, room: &FurnishedRoom, kind: &str, embedding: Embedding) -> String {
    let hall = room.room();
    let [low, high] = hall.bounds();
    let title = format!("{}: {kind}", room.title());
    let Air { temperature_celsius, relative_humidity_percent } = hall.air();
    let facts = format!(
        "{:.1} m³ of air, {:.1} m² of surfaces, {:.2} m high; {temperature_celsius} °C, {relative_humidity_percent} % humidity",
        hall.volume(),
        hall.surface_area(),
        high.z - low.z
    );
    let style = match embedding {
        Embedding::Inline => String::new(),
        Embedding::Standalone => {
            format!(r#"<style>{STYLESHEET}</style><rect class="paper" width="100%" height="100%"/>"#)
        }
    };
    let mut heading = Canvas::default();
    heading.text("name", dvec2(24.0, 26.0), &title);
    heading.text("facts", dvec2(24.0, 44.0), &facts);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="room-drawing" viewBox="0 0 {WIDTH} {height:.0}" role="img"><title>{}</title><desc>{}</desc>{style}{}{}</svg>"#,
        escaped(&title),
        escaped(&format!("{} {facts}.", room.description())),
        heading.into_body(),
        canvas.into_body(),
    )
}

/// Outline of what a body covers when seen along an axis: the convex hull of its corners (Andrew's monotone chain).
pub(super) fn silhouette(corners: impl Iterator<Item = DVec3>, flat: impl Fn(DVec3) -> DVec2) -> Vec<DVec2> {
    let mut places: Vec<_> = corners.map(flat).collect();
    places.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    places.dedup();
    let half = |places: &mut dyn Iterator<Item = DVec2>| {
        let mut chain: Vec<DVec2> = Vec::new();
        for place in places {
            while let [.., a, b] = chain[..] {
                if (b - a).perp_dot(place - a) > 1e-12 {
                    break;
                }
                chain.pop();
            }
            chain.push(place);
        }
        chain.pop();
        chain
    };
    let mut outline = half(&mut places.iter().copied());
    outline.extend(half(&mut places.iter().rev().copied()));
    outline
}

/// Closed outlines where a plane cuts the shell: `height` is positive on one side of it.
pub(super) fn cut(room: &FurnishedRoom, height: impl Fn(DVec3) -> f64) -> Vec<Vec<DVec3>> {
    let crossing = |polygon: &crate::Polygon| {
        let crossings = convex::edges(&polygon.vertices).filter_map(|(a, b)| {
            let (from, to) = (height(a), height(b));
            ((from > 0.0) != (to > 0.0)).then(|| a.lerp(b, from / (from - to)))
        });
        let places: Vec<_> = crossings.collect();
        let [a, b] = places[..] else { return None };
        Some((a, b))
    };
    let mut segments: Vec<_> = room.room().shell().iter().filter_map(crossing).collect();
    let mut outlines = Vec::new();
    while let Some((first, mut end)) = segments.pop() {
        let mut outline = vec![first];
        while let Some(next) = segments.iter().position(|(a, b)| a.distance(end).min(b.distance(end)) < 1e-6)
        {
            let (a, b) = segments.swap_remove(next);
            outline.push(end);
            end = if a.distance(end) < b.distance(end) { b } else { a };
        }
        outlines.push(outline);
    }
    outlines
}
