import { max } from 'd3-array'
import { element, type Markup } from './markup.js'
import { picture } from './picture.js'
import type { Theme, Token } from './theme.js'

export interface Columns {
  readonly sentence: string
  /** One for each step of time or place, from left to right; `undefined` where it is not known. */
  readonly counts: readonly (number | undefined)[]
  readonly tone: Token
  readonly height: number
  /** As high as the picture; default the greatest of the counts. */
  readonly greatest?: number
}

/** A column for each count, all of one width, as high as the count is beside the greatest: what is there is seen, however few. */
export function columns(
  { sentence, counts, tone, height, greatest: given }: Columns,
  theme: Theme,
  width: number,
): string {
  const greatest = given ?? max(counts, (count) => count) ?? 0
  const step = counts.length === 0 ? width : width / counts.length
  const drawn: Markup[] = []
  counts.forEach((count, index) => {
    if (count === undefined || count === 0) return
    const tall = Math.max(Math.min(2, height), (count / greatest) * height)
    drawn.push(
      element('rect', {
        x: index * step,
        y: height - tall,
        width: step > 4 ? step - 1 : step,
        height: tall,
        fill: theme[tone],
      }),
    )
  })
  // Without words in it, it may be stretched to any width.
  return picture(sentence, width, height, drawn, { preserveAspectRatio: 'none' })
}
