import { dark, declarations, light } from '../../../src/pictures/theme.js'

const onlyAt = (width: number) =>
  [1_200, 600, 300].map((other) => `.w${other}{display:${other === width ? 'block' : 'none'}}`).join('')

/** A record is a whole number of pixels at every width. */
export function style(rows: number): string {
  const tall = (most: number) => rows * Math.max(1, Math.floor(most / rows))
  return `
:root{color-scheme:light dark;${declarations(light)}}
@media screen and (prefers-color-scheme:dark){:root{${declarations(dark)}}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
main{width:300px;margin:0 auto;padding:16px 0 32px}
h1{font-size:20px;line-height:1.35;font-weight:600;margin:0 0 8px}
p{margin:0 0 12px;color:var(--soft)}
#time{position:relative}
#line{position:absolute;top:0;bottom:0;width:1px;background:var(--ink);pointer-events:none}
#reader{margin:4px 0 12px}
#reader input{width:100%;margin:0;height:24px;accent-color:var(--ours)}
#said{display:block;min-height:20px;color:var(--ink)}
figure{margin:14px 0 0}
figcaption{margin-bottom:4px}
.entry{display:inline-block;margin-right:12px;color:var(--soft)}
.entry svg{vertical-align:-1px}
.halves{display:flex;flex-direction:column;gap:8px}
.half svg{display:block;width:300px;height:6px}
.map{display:block;width:300px;height:${tall(100)}px;image-rendering:pixelated;margin:2px 0}
.chart svg{display:block}
${onlyAt(300)}
table{border-collapse:collapse;margin:20px 0 0;width:100%;max-width:760px;font-size:13px}
caption{text-align:left;font-weight:600;font-size:14px;padding-bottom:4px}
th,td{text-align:left;vertical-align:top;padding:4px 8px 4px 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
thead th{color:var(--soft);font-weight:600}
tbody th{font-weight:400}
.figure{text-align:right;overflow-wrap:normal}
td.figure{white-space:nowrap}
tr>:last-child{padding-right:0}
details{margin-top:16px}
summary{cursor:pointer;padding:4px 0}
:focus-visible{outline:2px solid var(--ours);outline-offset:2px}
code{font-family:ui-monospace,"DejaVu Sans Mono",monospace}
@media screen and (min-width:664px){main{width:600px}${onlyAt(600)}.halves{flex-direction:row;gap:0}}
@media screen and (min-width:1264px){main{width:1200px}${onlyAt(1_200)}.half svg,.map{width:600px}.map{height:${tall(200)}px}}
@page{size:A4 landscape;margin:6mm}
@media print{
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
main{width:100%;padding:0}${onlyAt(1_200)}
body{font-size:12px;line-height:1.3}h1{font-size:15px}p{margin-bottom:6px}
.chart svg.w1200,.chart .w1200 svg{width:100%;height:auto}
.halves{flex-direction:row;gap:0}.half{flex:1}.half svg{width:100%}.map{width:100%;height:84px}
figure{margin-top:6px}
#reader,#line,details{display:none}
.tables{break-before:page;columns:2;column-gap:32px}.tables>*{break-inside:avoid}
}
`
}
