// What the pages do beyond being read: a search over the index in search.js, and on an indicator's page the sum, the id
// and the SQL of the figure that the address names. Everything on the pages is there without it.
"use strict";
(() => {
  const root = document.body.dataset.root;

  // ------------------------------------------------------------------ search
  const form = document.querySelector(".search");
  const box = document.getElementById("cari");
  const list = document.getElementById("hasil");
  const newest = () => PANTAU.releases.filter((r) => r[2]).at(-1) ?? PANTAU.releases.at(-1);

  function figures(text) {
    const found = /^([A-Za-z]\d+)(?:\.(\d{2}(?:\.\d{2})?))?(?::([^@/]+))?(?:@(\d{4}-\d{2}))?(?:\/v(\d+))?$/.exec(text);
    if (!found) return [];
    const [, letter, place, written, period, version] = found;
    const indicator = letter.toUpperCase();
    const month = period ?? newest()?.[0];
    const breakdown = place && breakdownOf(indicator, place, written ?? "", month);
    const none = [{ text, note: list.dataset.nofigure }];
    if (place && breakdown === undefined) return none;
    const pages = PANTAU.releases
      .filter((r) => r[0] === month && r[4].includes(indicator) && (version ? r[1] === Number(version) : true))
      .sort((a, b) => b[2] - a[2] || b[1] - a[1])
      .map(([p, v, published]) => {
        const tail = place ? place + (breakdown ? ":" + breakdown : "") : "";
        return {
          text: `${indicator}${tail ? "." + tail : ""}@${p}/v${v}`,
          note: PANTAU.places[place] ?? (published ? "" : "v" + v),
          to: `${p}/v${v}/${indicator}.html${tail ? "#" + encodeURIComponent(tail) : ""}`,
        };
      });
    return pages.length || !place ? pages : none;
  }

  // A breakdown as the figures have it, however it is typed; undefined where the indicator has no such figure.
  // The regions known here are those of the newest month; of another month its page tells what it does not have.
  function breakdownOf(indicator, place, written, month) {
    if (place !== "00" && month === newest()?.[0] && !(place in PANTAU.places)) return undefined;
    const known = PANTAU.breakdowns[indicator]?.[place === "00" ? "0" : String(place.length)] ?? [];
    return known.find((b) => b.toLowerCase() === written.toLowerCase());
  }

  function hashes(text) {
    if (!/^[0-9a-f]{6,64}$/.test(text)) return [];
    const deliveries = PANTAU.deliveries
      .filter((d) => d[2].some((hash) => hash.startsWith(text)))
      .map((d) => ({ text: d[1], note: d[2].find((hash) => hash.startsWith(text)), to: `deliveries/${d[0]}.html` }));
    const releases = PANTAU.releases
      .filter((r) => r[3].startsWith(text))
      .map((r) => ({ text: `${r[0]} v${r[1]}`, note: r[3], to: `${r[0]}/v${r[1]}/index.html` }));
    return [...releases, ...deliveries];
  }

  function numbers(text) {
    const found = /^(t-|#)?(\d{1,7})$/.exec(text);
    if (!found) return [];
    const n = Number(found[2]);
    const finding = PANTAU.findings.find((f) => f[0] === n);
    const entry = n >= 1 && n <= PANTAU.entries
      ? [{ text: `#${n}`, note: "", to: `ledger/${Math.floor((n - 1) / PANTAU.entries_a_page) + 1}.html#${n}` }] : [];
    const told = finding ? [{ text: `T-${n}`, note: finding[1], to: `findings/${n}.html` }] : [];
    return found[1] === "#" ? entry : found[1] ? told : [...told, ...entry];
  }

  function words(text) {
    const release = newest();
    const at = (code) => {
      const indicator = release?.[4][0];
      return indicator ? `${release[0]}/v${release[1]}/${indicator}.html#${code.slice(0, 5)}` : null;
    };
    const places = Object.entries(PANTAU.places)
      .filter(([code, name]) => text.startsWith(code) && code.length >= 5 ? true : code === text || (text.length > 2 && name.toLowerCase().includes(text)))
      .map(([code, name]) => ({ text: name, note: code, to: at(code) }))
      .filter((x) => x.to);
    const findings = PANTAU.findings.filter((f) => text.length > 2 && f[1].includes(text))
      .map((f) => ({ text: `T-${f[0]} ${f[1]}`, note: String(f[2]), to: `findings/${f[0]}.html` }));
    const deliveries = PANTAU.deliveries.filter((d) => text.length > 2 && d[1].toLowerCase().includes(text))
      .map((d) => ({ text: d[1], note: "", to: `deliveries/${d[0]}.html` })).reverse();
    const periods = [...new Set(PANTAU.releases.map((r) => r[0]))].filter((p) => text.length > 3 && p.startsWith(text))
      .map((p) => ({ text: p, note: "", to: `${p}/index.html` }));
    return [...periods, ...places, ...findings, ...deliveries];
  }

  function show() {
    const text = box.value.trim();
    const low = text.toLowerCase();
    const found = text ? [...figures(text), ...hashes(low), ...numbers(low), ...words(low)].slice(0, 12) : [];
    list.replaceChildren(...found.map(({ text, note, to }) => {
      const item = document.createElement("li");
      const link = document.createElement(to ? "a" : "span");
      if (to) link.href = root + to;
      link.textContent = text;
      if (note) {
        const small = document.createElement("small");
        small.textContent = note;
        link.append(small);
      }
      item.append(link);
      return item;
    }));
    if (text && !found.length) {
      const item = document.createElement("li");
      const told = document.createElement("span");
      told.textContent = list.dataset.nothing;
      item.append(told);
      list.append(item);
    }
  }

  if (form && typeof PANTAU !== "undefined") {
    form.hidden = false;
    box.addEventListener("input", show);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      list.querySelector("a")?.click();
    });
    form.addEventListener("keydown", (event) => {
      const links = [...list.querySelectorAll("a")];
      const at = links.indexOf(document.activeElement);
      if (event.key === "Escape") {
        list.replaceChildren();
        box.focus();
      } else if (event.key === "ArrowDown" && links.length) {
        event.preventDefault();
        links[Math.min(at + 1, links.length - 1)].focus();
      } else if (event.key === "ArrowUp" && links.length) {
        event.preventDefault();
        (at > 0 ? links[at - 1] : box).focus();
      }
    });
    document.addEventListener("click", (event) => {
      if (!form.contains(event.target)) list.replaceChildren();
    });
  }

  // ------------------------------------------------------------------ the figure that the address names
  const hero = document.getElementById("hero");

  function conditions(tail) {
    const [place, ...values] = tail.split(":");
    const found = place === "00" ? [] : [[place.length === 2 ? "provinsi_kode" : "kabupaten_kode", place]];
    if (values.length) {
      const columns = JSON.parse(hero.dataset.breakdowns).map((b) => b.split(":")).find((b) => b.length === values.length);
      if (!columns) return null;
      values.forEach((value, n) => found.push([columns[n], value]));
    }
    return found;
  }

  function what(cell, tail) {
    const head = cell.closest("tr").querySelector("th");
    const labels = JSON.parse(hero.dataset.labels);
    const parts = tail.split(":").slice(1).map((value) => labels[value] ?? value);
    if (cell.tagName === "TD") parts.push((head.querySelector("summary") ?? head.firstChild).textContent.trim());
    return parts.join(", ") || head.textContent.trim();
  }

  function focusOn() {
    if (!hero) return;
    const asked = decodeURIComponent(location.hash.slice(1));
    const missing = /^\d{2}(\.\d{2})?(:.+)?$/.test(asked) && !document.getElementById(asked);
    const told = document.getElementById("nothere");
    told.hidden = !missing;
    if (missing) told.textContent = hero.dataset.nothere.replace("{figure}", () => `${hero.dataset.figure}.${asked}`);
    const tail = (!missing && asked) || hero.dataset.main;
    const cell = document.querySelector(`[data-v][id="${CSS.escape(tail)}"]`);
    const where = cell && conditions(tail);
    if (!where) return;
    for (const [term, text] of [["numerator", cell.dataset.n], ["denominator", cell.dataset.d], ["rest", cell.dataset.r], ["value", cell.dataset.v],
      ["what", what(cell, tail)], ["id", `${hero.dataset.figure}.${tail}@${hero.dataset.period}/v${hero.dataset.version}`]]) {
      const place = document.querySelector(`[data-term="${term}"]`);
      if (place && text !== undefined) (place.querySelector("b") ?? place).textContent = text;
    }
    const sql = document.getElementById("sql-where");
    if (sql && location.hash) sql.closest(".sql").scrollTop = 1e6;
    if (sql) sql.textContent = where.map(([column, value]) => `\n    and ${column} = '${value}'`).join("");
  }

  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let each = target?.parentElement; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
    focusOn();
  }

  addEventListener("hashchange", reveal);
  reveal();
})();
