import { declarations, dark, light, variables } from '../../../src/pictures/theme.js'
import { timeChart, type Line } from '../../../src/pictures/time-chart.js'
import { words } from '../../../src/pictures/markup.js'
import { countsOf, drawSeries } from './draw-series.js'
import type { DrawnSeries } from './read-series.js'
import { zoomScript } from './zoom-script.js'

/** What the run looked like at a moment of it. */
export interface Sample {
  readonly atMs: number
  readonly lag: Readonly<Record<string, number | null>>
  readonly received: Readonly<Record<string, number>>
}

export interface Kill {
  readonly service: string
  readonly fromMs: number
  readonly toMs: number
  /** Rows acknowledged when it died. */
  readonly atRow: number
}

/** A stage: what came in, and where all of it went. */
export interface Stage {
  readonly name: string
  readonly in: number
  readonly on: { readonly what: string; readonly count: number }
  readonly leaks: Readonly<Record<string, number>>
  /** What it sends on, where that is something else than what it takes. */
  readonly sends: string
}

/** What came a second time. */
export interface Repeat {
  readonly service: string
  readonly kills: number
  readonly again: number
  readonly absorbedBy: string
  readonly changed: number
}

export interface ReportData {
  readonly rows: number
  readonly seconds: number
  readonly series: readonly DrawnSeries[]
  readonly samples: readonly Sample[]
  readonly kills: readonly Kill[]
  readonly stages: readonly Stage[]
  readonly repeats: readonly Repeat[]
}

/** The whole run in one sentence; what is wrong comes first. */
export function sentenceOf({ rows, series, kills, repeats }: ReportData): string {
  const alerts = series.reduce((sum, one) => sum + one.alerts.length + one.silences.length, 0)
  const windows = series.flatMap((one) => one.windows)
  const again = repeats.reduce((sum, one) => sum + one.again, 0)
  const changed = repeats.reduce((sum, one) => sum + one.changed, 0)
  const found = `${n(rows)} rows, ${n(alerts)} alerts, ${windows.filter((one) => one.hit).length} of ${windows.length} labelled windows hit`
  const faults = `${kills.length} times a service was killed, ${n(again)} records came twice`
  return changed === 0
    ? `${found}; ${faults}, nothing changed.`
    : `${n(changed)} records were taken twice: ${found}; ${faults}.`
}

/** One file that needs no other: it asks nobody for anything. */
export function reportPage(data: ReportData): string {
  const sentence = sentenceOf(data)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>The alarm demo</title><style>${styles}</style></head><body><main>
<h1>${words(sentence)}</h1>
<section><h2>The way</h2>${wayOf(data.stages)}</section>
<section><h2>The run, ${data.seconds.toFixed(0)} s</h2><figure>${runOf(data)}</figure></section>
<section><h2>The series</h2>
<p class="soft">Time is that of the data. Line: each point. <b class="act">●</b> anomaly. Bars below: <b class="act">■</b> alert, tall when fatal, <b class="unjudged">■</b> data missing. <b class="watch">□</b> window that people labelled, dashed when missed. <b class="doubled">|</b> a row with another value for the same time. Drag to zoom; or focus a series, then + − ← →, and Esc for all.</p>
${data.series.map(figureOf).join('\n')}</section>
<section><h2>What came twice</h2>${repeatsOf(data.repeats)}</section>
</main><script>${zoomScript}</script></body></html>
`
}

function figureOf(series: DrawnSeries): string {
  return `<figure class="series" tabindex="0" aria-label="${words(series.title)}"><figcaption><b>${words(series.title)}</b> · ${words(countsOf(series))}</figcaption>${drawSeries(series)}</figure>`
}

function wayOf(stages: readonly Stage[]): string {
  const boxes = stages.map(({ name, in: came, on, leaks, sends }) => {
    const rest = Object.entries(leaks).filter(([, count]) => count > 0)
    const adds = came === on.count + rest.reduce((sum, [, count]) => sum + count, 0)
    const sum = [`${n(on.count)} ${on.what}`, ...rest.map(([what, count]) => `${n(count)} ${what}`)].join(' + ')
    const mark = adds ? '<b class="ok">✓</b>' : '<b class="act">■ does not add up</b>'
    const stubs = rest.map(([what, count]) => `<li>${n(count)} ${words(what)}</li>`).join('')
    return `<li><div class="box"><b>${words(name)}</b><span>${n(came)} in</span><small>= ${words(sum)}&nbsp;${mark}</small><ul>${stubs}</ul></div><span class="on">${words(sends)} →</span></li>`
  })
  return `<ol class="way">${boxes.join('')}</ol>`
}

/** Not that of alerts: it says that something is wrong. */
const tones = ['ours', 'watch', 'ok', 'doubled', 'peer'] as const

function runOf({ samples, kills, seconds }: ReportData): string {
  const names = Object.keys(samples.at(-1)?.lag ?? {})
  const lag = names.map((name, index): Line => ({
    label: name,
    tone: tones[index % tones.length] ?? 'ours',
    points: samples.map(({ atMs, lag: lags }) => [atMs, lags[name] ?? undefined]),
  }))
  const rate = names.map((name, index): Line => ({
    label: name,
    tone: tones[index % tones.length] ?? 'ours',
    points: samples.slice(1).map(({ atMs, received }, before) => {
      const then = samples[before]
      const count = (received[name] ?? 0) - (then?.received[name] ?? 0)
      return [atMs, then && count >= 0 ? (count * 1_000) / (atMs - then.atMs) : undefined]
    }),
  }))
  const chart = {
    sentence: `Lag and records a second of ${names.join(', ')} over ${seconds.toFixed(0)} s, with ${kills.length} kills`,
    from: 0,
    to: seconds * 1_000,
    clock: { kind: 'elapsed' },
    labels: 'beside',
    bands: kills.map(({ service, fromMs, toMs, atRow }) => {
      return { kind: 'killed', name: `${service}, row ${n(atRow)}`, from: fromMs, to: toMs } as const
    }),
    strips: [
      { title: 'Lag, records', height: 80, lines: lag },
      { title: 'Records handled a second', height: 80, lines: rate },
    ],
  } as const
  return timeChart(chart, variables, 1_200)
}

function repeatsOf(repeats: readonly Repeat[]): string {
  const rows = repeats.map(({ service, kills, again, absorbedBy, changed }) => {
    const mark = changed === 0 ? '<b class="ok">0 ✓</b>' : `<b class="act">■ ${n(changed)}</b>`
    return `<tr><td>${words(service)}<td class="n">${kills}<td class="n">${n(again)}<td>${words(absorbedBy)}<td class="n">${mark}`
  })
  return `<table><thead><tr><th>service<th>killed<th>came again<th>absorbed by<th>changed</thead><tbody>${rows.join('')}</tbody></table>`
}

const n = (count: number): string => count.toLocaleString('en-US')

const styles = `:root{${declarations(light)};color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{${declarations(dark)}}}
@media print{:root{${declarations(light)}}figure,section{break-inside:avoid}section.series{break-inside:auto}}
*{box-sizing:border-box;print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{margin:0;background:var(--page);color:var(--ink);font:14px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1248px;margin:0 auto;padding:24px}h1{font-size:20px;line-height:1.4;margin:0 0 16px}h2{font-size:14px;margin:28px 0 8px}
figure{margin:0 0 20px;overflow:hidden}figure svg{max-width:100%;height:auto;display:block}figcaption{font-size:13px}
/* On a phone pictures are looked at piece by piece: as wide as it is nobody could read them. */
@media screen and (max-width:700px){figure{overflow-x:auto}figure svg{max-width:none;width:1000px}figcaption{position:sticky;left:0}.series{touch-action:auto}}
.series{cursor:crosshair;touch-action:pan-y}.series:focus-visible{outline:2px solid var(--ours);outline-offset:4px}.soft,small,.on{color:var(--soft)}
.way{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(300px,100%),1fr));gap:12px 8px;list-style:none;padding:0;margin:0}.way>li{display:grid;grid-template-columns:204px 1fr;gap:8px}.on{align-self:center}
.box{min-height:96px;border:1.5px solid var(--soft);border-radius:3px;padding:8px 12px;background:var(--panel)}.box>*{display:block}.box ul{display:none}
small{font-size:12px}table{display:block;overflow-x:auto;border-collapse:collapse}th,td{text-align:left;padding:4px 16px 4px 0;border-bottom:1px solid var(--line)}.n{text-align:right}
.act{color:var(--act)}.watch{color:var(--watch)}.ok{color:var(--ok)}.unjudged{color:var(--unjudged)}.doubled{color:var(--doubled)}`
