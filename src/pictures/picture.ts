import { element, type Attributes, type Markup } from './markup.js'

const fonts = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif'

/** A whole picture; `sentence` says what it shows to who does not see it; an ornament has none. */
export function picture(
  sentence: string,
  width: number,
  height: number,
  inside: readonly Markup[],
  more: Attributes = {},
): string {
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width,
      height,
      viewBox: `0 0 ${Math.round(width)} ${Math.round(height)}`,
      ...(sentence === '' ? { 'aria-hidden': 'true' } : { role: 'img', 'aria-label': sentence }),
      ...more,
      'font-family': fonts,
    },
    ...inside,
  )
}
