//! Pictures of figures as SVG that stands alone: no script, no outside file, light or dark as the
//! reader's system says, with a title and a description for those who do not see it.
//!
//! Knows numbers and labels; must not know what they mean.

use super::calibration::Bin;
use std::fmt::Write;

/// Colours by role. `currentColor` would be black on black where the SVG is shown as an image.
const STYLE: &str = "svg{color-scheme:light dark;font:13px system-ui,sans-serif}\
.ground{fill:#fff}.text{fill:#1f2933}.faint{fill:#52606d}.grid{stroke:#d9e2ec}.axis{stroke:#52606d}\
.line{stroke:#0b63a5;fill:none;stroke-width:2}.dot{fill:#0b63a5}.bar{fill:#9fb3c8}.bound{stroke:#b3261e;stroke-dasharray:4 3}\
.over{fill:#b3261e}\
@media(prefers-color-scheme:dark){.ground{fill:#14181d}.text{fill:#e4e7eb}.faint{fill:#9aa5b1}.grid{stroke:#323f4b}\
.axis{stroke:#9aa5b1}.line{stroke:#63b3ed}.dot{fill:#63b3ed}.bar{fill:#486581}.bound{stroke:#ff8a80}.over{fill:#ff8a80}}";

/// Where a text is anchored.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture in the making; coordinates are pixels from the upper left corner.
struct Canvas {
    width: f64,
    height: f64,
    body: String,
}

impl Canvas {
    fn new(width: f64, height: f64) -> Self {
        let mut canvas = Self { width, height, body: String::new() };
        canvas.add(format_args!(r#"<rect class="ground" width="{width}" height="{height}"/>"#));
        canvas
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.body, "{element}");
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#));
    }

    fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64, hint: &str) {
        let hint = escape(hint);
        self.add(format_args!(
            r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"><title>{hint}</title></circle>"#
        ));
    }

    fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.add(format_args!(r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#));
    }

    fn finish(self, title: &str, description: &str) -> String {
        let Self { width, height, body } = self;
        let (title, description) = (escape(title), escape(description));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" aria-labelledby=\"title description\">\n<title id=\"title\">{title}</title>\n\
             <desc id=\"description\">{description}</desc>\n<style>{STYLE}</style>\n{body}</svg>\n"
        )
    }
}

/// Text as XML content or attribute; signs that XML 1.0 forbids are left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            sign if sign < ' ' || ('\u{fffe}'..='\u{ffff}').contains(&sign) => {}
            sign => escaped.push(sign),
        }
    }
    escaped
}

/// The reliability diagram: for each bin its mean score against the share of positives, the
/// diagonal that perfect probabilities would follow, and below how many rows each bin holds.
/// `score` names what was scored.
#[must_use]
pub fn reliability(title: &str, score: &str, bins: &[Bin]) -> String {
    const SIDE: f64 = 360.0;
    const LEFT: f64 = 64.0;
    const TOP: f64 = 62.0;
    const BARS: f64 = 60.0;
    let mut canvas = Canvas::new(LEFT + SIDE + 24.0, TOP + SIDE + BARS + 72.0);
    let place = |x: f64, y: f64| (LEFT + x * SIDE, TOP + (1.0 - y) * SIDE);
    canvas.text("text", (LEFT, 26.0), Anchor::Start, title);
    for step in 0..=5 {
        let value = f64::from(step) / 5.0;
        canvas.line("grid", place(0.0, value), place(1.0, value));
        canvas.line("grid", place(value, 0.0), place(value, 1.0));
        let ((_, y), (x, bottom)) = (place(0.0, value), place(value, 0.0));
        canvas.text("faint", (LEFT - 8.0, y + 4.0), Anchor::End, &format!("{value:.1}"));
        canvas.text("faint", (x, bottom + BARS + 20.0), Anchor::Middle, &format!("{value:.1}"));
    }
    canvas.line("bound", place(0.0, 0.0), place(1.0, 1.0));
    let most = bins.iter().map(|bin| bin.rows).max().unwrap_or_default().max(1) as f64;
    let floor = TOP + SIDE + BARS;
    for bin in bins {
        let (x, height) = (LEFT + bin.from * SIDE, bin.rows as f64 / most * (BARS - 8.0));
        let (y, width) = (floor - height, (bin.to - bin.from) * SIDE - 2.0);
        canvas.add(format_args!(
            r#"<rect class="bar" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"><title>{} rows</title></rect>"#,
            bin.rows
        ));
    }
    canvas.line("axis", (LEFT, floor), (LEFT + SIDE, floor));
    let filled: Vec<&Bin> = bins.iter().filter(|bin| bin.rows > 0).collect();
    for pair in filled.windows(2) {
        let end = |bin: &Bin| place(bin.mean_score, bin.positive);
        canvas.line("line", end(pair[0]), end(pair[1]));
    }
    for bin in filled {
        let hint = format!("mean score {:.3}, positive {:.3}, {} rows", bin.mean_score, bin.positive, bin.rows);
        canvas.dot("dot", place(bin.mean_score, bin.positive), 4.0, &hint);
    }
    canvas.text("text", (LEFT + SIDE / 2.0, floor + 44.0), Anchor::Middle, &format!("mean {score}, and rows per bin"));
    canvas.text("text", (LEFT, TOP - 6.0), Anchor::Start, "share that is positive");
    let rows: usize = bins.iter().map(|bin| bin.rows).sum();
    let error = super::calibration::expected_error(bins);
    canvas.finish(
        title,
        &format!("Reliability of {score} over {rows} rows: expected calibration error {error:.3}. On the dashed diagonal a probability is exactly the share of positives."),
    )
}

/// One line of a dot chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    /// The heading that it belongs to; lines of one heading follow one another.
    pub section: String,
    /// What is measured.
    pub label: String,
    /// Its value, drawn from 0 to either side.
    pub value: f64,
    /// The largest distance from 0 that is accepted, if there is one.
    pub bound: Option<f64>,
}

/// A dot chart around 0 with the bounds of each line; what is over its bound is marked in colour
/// and by an exclamation mark, for those who do not see the colour.
#[must_use]
pub fn dots(title: &str, axis: &str, lines: &[Dot]) -> String {
    const WIDTH: f64 = 820.0;
    const LEFT: f64 = 300.0;
    const RIGHT: f64 = 90.0;
    const TOP: f64 = 56.0;
    const STEP: f64 = 20.0;
    let headings = lines.chunk_by(|left, right| left.section == right.section).count();
    let floor = TOP + STEP * (lines.len() as f64 + 1.6 * headings as f64);
    let extents = lines.iter().map(|line| line.value.abs().max(line.bound.unwrap_or_default()));
    let extent = extents.fold(0.001, f64::max) * 1.1;
    let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
    let x = |value: f64| middle + value / extent * (WIDTH - LEFT - RIGHT) / 2.0;
    let mut canvas = Canvas::new(WIDTH, floor + 56.0);
    canvas.text("text", (16.0, 26.0), Anchor::Start, title);
    for step in -2..=2 {
        let value = extent * f64::from(step) / 2.0;
        canvas.line(if step == 0 { "axis" } else { "grid" }, (x(value), TOP), (x(value), floor));
        canvas.text("faint", (x(value), floor + 18.0), Anchor::Middle, &format!("{value:+.3}"));
    }
    let mut y = TOP;
    for section in lines.chunk_by(|left, right| left.section == right.section) {
        y += 1.6 * STEP;
        canvas.text("text", (16.0, y - 8.0), Anchor::Start, &section[0].section);
        for line in section {
            let is_over = line.bound.is_some_and(|bound| line.value.abs() > bound);
            for bound in line.bound.into_iter().flat_map(|bound| [-bound, bound]) {
                canvas.line("bound", (x(bound), y - 2.0), (x(bound), y + STEP - 4.0));
            }
            let (centre, hint) = (y + STEP / 2.0 - 3.0, format!("{}: {:+.4}", line.label, line.value));
            canvas.text("faint", (LEFT - 12.0, centre + 4.0), Anchor::End, &line.label);
            canvas.line("grid", (x(0.0), centre), (x(line.value), centre));
            canvas.dot(if is_over { "over" } else { "dot" }, (x(line.value), centre), 5.0, &hint);
            let value = format!("{:+.4}{}", line.value, if is_over { " !" } else { "" });
            canvas.text(
                if is_over { "over" } else { "text" },
                (WIDTH - RIGHT + 12.0, centre + 4.0),
                Anchor::Start,
                &value,
            );
            y += STEP;
        }
    }
    canvas.text("text", (middle, floor + 42.0), Anchor::Middle, axis);
    let over = lines.iter().filter(|line| line.bound.is_some_and(|bound| line.value.abs() > bound)).count();
    canvas.finish(
        title,
        &format!("{} lines around 0, {axis}; {over} of them over their bound, which is dashed.", lines.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::super::calibration;
    use super::*;

    #[test]
    fn a_diagram_has_a_description_and_a_dot_for_each_bin_with_rows() {
        let svg = reliability("a <b> & \"c\"", "frustration", &calibration::reliability(&[0.1, 0.9], &[false, true]));
        assert!(svg.contains("<title id=\"title\">a &lt;b&gt; &amp; &quot;c&quot;</title>"));
        assert!(svg.contains("prefers-color-scheme:dark") && svg.contains("<desc ") && !svg.contains("<script"));
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(!svg.contains("NaN"), "empty bins have no mean");
    }

    #[test]
    fn what_is_over_its_bound_is_marked_without_colour_too() {
        let line =
            |section: &str, value| Dot { section: section.into(), label: "x\u{1}\n".into(), value, bound: Some(0.01) };
        let svg = dots("audit", "difference", &[line("a", 0.02), line("a", -0.005), line("b", 0.0)]);
        assert_eq!((svg.matches("class=\"over\"").count(), svg.matches("+0.0200 !").count()), (2, 1));
        assert!(svg.contains(">x <") && svg.contains("1 of them over"));
    }
}
