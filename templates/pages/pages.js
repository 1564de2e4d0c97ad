// Draws the chart of a page, and in a report file lets its reader search, order and choose series. Without it every page is whole:
// a static chart and tables of numbers. The facts are in the JSON of #page-data; nothing is loaded.
"use strict";
(() => {
  const holder = document.getElementById("page-data");
  if (!holder) return;
  const page = JSON.parse(holder.textContent);
  const words = page.words;
  const language = page.language;
  const byId = (id) => document.getElementById(id);
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // As the server rounds: half to even.
  const form = (options) => new Intl.NumberFormat(language, { roundingMode: "halfEven", ...options });
  const whole = form({ maximumFractionDigits: 0 });
  const fine = form({ maximumSignificantDigits: 4 });
  const share = form({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const signedShare = form({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: "always" });
  const number = (value) =>
    value === null || value === undefined ? "–" : (Math.abs(value) >= 100 ? whole : fine).format(value);
  const percent = (value, shown = share) => (value === null || value === undefined ? "–" : shown.format(value));
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);

  // The clocks of the forecast's own zone are shown as they stand in the data: an offset is cut off, and the rest read as UTC.
  const seconds = (text) => Date.parse(text.length > 10 ? `${text.slice(0, 19)}Z` : `${text}T00:00:00Z`) / 1000;
  const day = new Intl.DateTimeFormat(language, { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" });
  const dayNumbers = new Intl.DateTimeFormat("pt-BR", { timeZone: "UTC", day: "2-digit", month: "2-digit", year: "numeric" });
  const clock = new Intl.DateTimeFormat(language, { timeZone: "UTC", hour: "2-digit", minute: "2-digit", hour12: false });
  const period = (text) => {
    const at = seconds(text);
    if (Number.isNaN(at)) return text;
    const date = new Date(at * 1000);
    const parts = Object.fromEntries(day.formatToParts(date).map((part) => [part.type, part.value]));
    const shown = language === "pt-BR" ? dayNumbers.format(date) : `${parts.day} ${parts.month} ${parts.year}`;
    return text.length > 10 ? `${shown} ${clock.format(date)}` : shown;
  };

  // A line is [offset, values...]: what it has no value for at its ends is left out.
  const line = (packed, length) => {
    const values = new Array(length).fill(null);
    for (let i = 1; i < packed.length; i += 1) values[packed[0] + i - 1] = packed[i];
    return values;
  };
  const unpack = (curve, times) => {
    const expand = (name) => line(curve[name] || [0], times.length);
    const quantiles = {};
    page.quantiles.forEach((name, at) => {
      quantiles[name] = line((curve.quantiles || [])[at] || [0], times.length);
    });
    return {
      times, actual: expand("actual"), backtest: expand("backtest"), earlier: expand("earlier"), mean: expand("mean"), quantiles,
    };
  };

  let plot = null;
  let drawn = null;
  const box = byId("chart");

  const size = () => ({ width: Math.max(box.clientWidth, 260), height: Math.min(Math.max(box.clientWidth * 0.42, 260), 460) });

  const axisDates = (_plot, splits, _axis, _space, step) => {
    const wanted = step < 86400 * 27 ? { day: "numeric", month: "short", year: "2-digit" }
      : step < 86400 * 364 ? { month: "short", year: "numeric" } : { year: "numeric" };
    const form = new Intl.DateTimeFormat(language, { timeZone: "UTC", ...wanted });
    return splits.map((at) => {
      const date = new Date(at * 1000);
      const parts = Object.fromEntries(form.formatToParts(date).map((part) => [part.type, part.value]));
      const shown = parts.day && language === "pt-BR" ? dayNumbers.format(date)
        : [parts.day, parts.month, parts.year].filter(Boolean).join(" ");
      return step < 86400 ? `${shown} ${clock.format(date)}` : shown;
    });
  };

  const bandsOf = (series) => {
    const bands = [];
    for (let low = 0, high = page.quantiles.length - 1; low < high; low += 1, high -= 1) {
      bands.push({ series: [series + high, series + low], fill: style("--band") });
    }
    return bands;
  };

  const draw = (curve, title) => {
    if (!box || typeof uPlot === "undefined") return;
    drawn = { curve, title };
    if (plot) plot.destroy();
    const axis = { stroke: style("--soft"), grid: { stroke: style("--line"), width: 1 }, ticks: { stroke: style("--line") },
      font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif" };
    const value = (_plot, raw) => number(raw);
    const hasQuantiles = Object.values(curve.quantiles).some((values) => values.some((each) => each !== null));
    const names = hasQuantiles ? page.quantiles : [];
    const first = 5;
    plot = new uPlot({
      ...size(),
      padding: [12, 40, null, null],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      cursor: { drag: { x: true, y: false } },
      legend: { live: true },
      axes: [
        { ...axis, values: axisDates, space: 100 },
        { ...axis, size: 72, label: page.unit, labelSize: 22, values: (_plot, splits) => splits.map(number) },
      ],
      scales: { y: { range: (_plot, low, high) => {
        const bottom = low >= 0 ? 0 : low;
        return [bottom, high === bottom ? bottom + 1 : high + (high - bottom) * 0.05];
      } } },
      series: [
        { label: words.period, value: (_plot, raw, _series, index) => (index === null ? "–" : period(curve.times[index])) },
        { label: page.unit, stroke: style("--ink"), width: 1.8, points: { show: false }, value },
        { label: words.backtest, stroke: style("--warm"), width: 1.4, dash: [6, 3], points: { show: false }, value },
        { label: words.earlier, stroke: style("--soft"), width: 1.4, dash: [2, 3], points: { show: false }, value },
        { label: words.forecast, stroke: style("--accent"), width: 2.4, points: { show: true, size: 5 }, value },
        ...names.map((name) => ({ label: words.quantiles[name], stroke: style("--accent"), width: 0.6, points: { show: false }, value })),
      ],
      bands: names.length ? bandsOf(first) : [],
    }, [curve.times.map(seconds), curve.actual, curve.backtest, curve.earlier, curve.mean, ...names.map((name) => curve.quantiles[name])], box);
    box.setAttribute("aria-label", fill(words.chart, { title }));
    document.documentElement.classList.add("drawn");
    showRanges(curve);
  };

  // How much of the history is shown. Dragging over the chart shows a part, a double click all of it.
  const showRanges = (curve) => {
    const bar = byId("ranges");
    const ahead = curve.mean.findIndex((each) => each !== null);
    const horizon = ahead < 0 ? 0 : curve.times.length - ahead;
    const last = curve.times.length - 1;
    const choices = [[words.all, 0], [words.half, Math.floor(last / 2)], [words.newest, Math.max(last - horizon * 4, 0)]];
    bar.replaceChildren(...choices.map(([text, from]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.addEventListener("click", () => {
        const times = plot.data[0];
        plot.setScale("x", { min: times[from], max: times[last] });
      });
      return button;
    }));
    bar.hidden = false;
  };

  const cells = (row, texts) => {
    texts.forEach((text, at) => {
      const cell = document.createElement(at ? "td" : "th");
      if (!at) cell.scope = "row";
      cell.textContent = text;
      row.append(cell);
    });
    return row;
  };

  const fillNumbers = (curve) => {
    const start = curve.mean.findIndex((each) => each !== null);
    const first = start < 0 ? curve.times.length : start;
    const at = [...curve.times.keys()];
    byId("numbers").tBodies[0].replaceChildren(...at.slice(first).map((i) => cells(document.createElement("tr"), [
      period(curve.times[i]), number(curve.mean[i]), ...page.quantiles.map((name) => number(curve.quantiles[name][i])),
      number(curve.earlier[i]),
    ])));
    byId("history").tBodies[0].replaceChildren(...at.slice(0, first).reverse().map((i) => cells(document.createElement("tr"), [
      period(curve.times[i]), number(curve.actual[i]), number(curve.backtest[i]), number(curve.earlier[i]),
    ])));
  };

  const first = unpack(page.curve, page.curve.times);
  draw(first, page.title);
  let width = box ? box.clientWidth : 0;
  new ResizeObserver(() => {
    if (!plot || box.clientWidth === width) return;
    width = box.clientWidth;
    plot.setSize(size());
  }).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(drawn.curve, drawn.title));

  document.querySelectorAll("select[name=sort]").forEach((each) => {
    if (!page.rows) each.addEventListener("change", () => each.form.requestSubmit());
  });
  if (page.rows) startReport();

  // A report file: all series are in it, and nothing can be asked.
  function startReport() {
    const PAGE = 50;
    const form = document.querySelector("form.filters");
    const body = byId("listing").tBodies[0];
    const natural = new Intl.Collator(language, { numeric: true });
    const low = (value) => (value === null ? -Infinity : value);
    const orders = {
      worst: (a, b) => low(b[5]) - low(a[5]) || low(b[6]) - low(a[6]),
      largest: (a, b) => low(b[1]) - low(a[1]),
      change: (a, b) => low(b[3] === null ? null : Math.abs(b[3])) - low(a[3] === null ? null : Math.abs(a[3])),
      name: (a, b) => natural.compare(a[0], b[0]),
    };
    let shown = [];
    let at = 0;
    let chosen = -1;

    const rowOf = (index) => {
      const [name, forecast, recent, , changeShare, realised, backtest, bias] = page.rows[index];
      const row = cells(document.createElement("tr"), [
        "", number(forecast), number(recent), percent(changeShare, signedShare), percent(realised), percent(backtest),
        percent(bias, signedShare),
      ]);
      const button = document.createElement("button");
      button.type = "button";
      button.className = "link";
      button.textContent = name;
      button.addEventListener("click", () => choose(index));
      row.firstChild.append(button);
      if (index === chosen) {
        row.className = "champion";
        button.setAttribute("aria-current", "true");
      }
      return row;
    };

    const show = () => {
      const pages = Math.max(Math.ceil(shown.length / PAGE), 1);
      at = Math.min(Math.max(at, 0), pages - 1);
      body.replaceChildren(...shown.slice(at * PAGE, (at + 1) * PAGE).map(rowOf));
      byId("listing-count").textContent = fill(words.count, {
        matched: whole.format(shown.length), total: whole.format(page.rows.length), page: whole.format(at + 1), pages: whole.format(pages),
      });
      byId("pager").replaceChildren(...[[words.back, at - 1], [words.next, at + 1]].map(([text, to]) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = text;
        button.disabled = to < 0 || to >= pages;
        button.addEventListener("click", () => { at = to; show(); });
        return button;
      }));
    };

    const find = () => {
      const parts = form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
      const order = orders[form.elements.sort.value];
      shown = [...page.rows.keys()]
        .filter((index) => parts.every((part) => page.rows[index][0].toLowerCase().includes(part)))
        .sort((a, b) => order(page.rows[a], page.rows[b]) || a - b);
      at = 0;
      show();
    };

    const readPacked = async () => {
      const bytes = Uint8Array.from(atob(page.packed), (each) => each.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      return JSON.parse(await new Response(stream).text());
    };
    let packed = null;
    const curves = () => { packed = packed || readPacked(); return packed; };

    const choose = async (index) => {
      const all = await curves();
      const curve = unpack(all.curves[index], all.times);
      const title = page.rows[index][0];
      chosen = index;
      byId("chart-title").textContent = title;
      draw(curve, title);
      fillNumbers(curve);
      document.documentElement.classList.add("chosen");
      show();
      byId("chart-part").scrollIntoView();
    };

    const download = async (separator) => {
      const all = await curves();
      const decimal = separator === ";" ? "," : ".";
      // A spreadsheet reads a text that begins so as a formula; an apostrophe keeps it text.
      const text = (value) => {
        const safe = /^[=+\-@＝＋－＠\t\r\n]/.test(value) ? `'${value}` : value;
        return /[",;\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
      };
      const figure = (value) => (value === null ? "" : String(value).replace(".", decimal));
      const lines = [[...page.columns, words.time, "mean", ...page.quantiles].map(text).join(separator)];
      page.keys.forEach((key, index) => {
        const curve = unpack(all.curves[index], all.times);
        curve.times.forEach((time, i) => {
          if (curve.mean[i] === null) return;
          lines.push([...key.map(text), text(time), figure(curve.mean[i]), ...page.quantiles.map((name) => figure(curve.quantiles[name][i]))].join(separator));
        });
      });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([`\ufeff${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
      link.download = `${page.name}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    };

    document.querySelectorAll("button[data-csv]").forEach((button) => {
      button.hidden = false;
      button.addEventListener("click", () => download(button.dataset.csv));
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", find);
    find();
  }
})();
