import { element, words, type Attributes, type Markup } from './markup.js'
import type { Theme } from './theme.js'

export const textSize = { least: 12, normal: 13, body: 14 } as const

export interface LabelPlace {
  readonly x: number
  /** Of the line that the letters stand on. */
  readonly y: number
  readonly anchor?: 'start' | 'middle' | 'end'
  readonly size?: number
  readonly fill: string
  readonly weight?: 'bold'
}

/** Text that stays readable over lines: it has a halo in the colour of the page. */
export function label(text: string, theme: Theme, place: LabelPlace, more: Attributes = {}): Markup {
  const { x, y, anchor = 'start', size = textSize.least, fill, weight } = place
  return element(
    'text',
    {
      x,
      y,
      'text-anchor': anchor === 'start' ? undefined : anchor,
      'font-size': size,
      'font-weight': weight,
      fill,
      stroke: theme.page,
      'stroke-width': 3,
      'stroke-linejoin': 'round',
      'paint-order': 'stroke',
      ...more,
    },
    words(text),
  )
}
