/**
 * Advance widths of DejaVu Sans in hundredths of an em: of the fonts that `system-ui` falls back to it is the widest, so
 * what has room in it has room in all.
 */
const widths: readonly (readonly [width: number, characters: string])[] = [
  [28, "'ijl"],
  [30, 'IJ'],
  [32, ' ,.·'],
  [34, '/:;\\|'],
  [36, 'f'],
  [37, '-'],
  [40, '()[]t'],
  [41, '!'],
  [42, 'r'],
  [46, '"'],
  [50, '*_`–‖°'],
  [53, 'sz?'],
  [55, 'c'],
  [56, 'L'],
  [58, 'Fk'],
  [60, 'vxy'],
  [61, 'P'],
  [62, 'TYaeo'],
  [64, '$0123456789ESbdghnpqu{}µ'],
  [66, 'K'],
  [69, 'ABVXZ'],
  [70, 'CR'],
  [74, 'U'],
  [76, 'NH'],
  [78, '▲&DG'],
  [79, 'OQ'],
  [84, 'w#+<=>^~×→≥'],
  [88, 'M⊣⊢●'],
  [96, '■%'],
  [99, 'mW'],
  [100, '@—…'],
]
const unlisted = 110
const reserve = 1.1
/** Of DejaVu Sans Bold beside the regular one. */
const bolder = 1.13

const widthOf = new Map(widths.flatMap(([width, characters]) => [...characters].map((one) => [one, width] as const)))

/** The room a line of text takes at most, in pixels, whatever font it comes to be shown in. */
export function textWidth(text: string, size: number, weight?: 'bold'): number {
  let hundredths = 0
  for (const character of text) hundredths += widthOf.get(character) ?? unlisted
  return (hundredths / 100) * size * reserve * (weight === 'bold' ? bolder : 1)
}

/** What of a text has room, with an ellipsis in place of the rest. */
export function fitted(text: string, size: number, room: number, weight?: 'bold'): string {
  if (textWidth(text, size, weight) <= room) return text
  const characters = [...text]
  while (characters.length > 0 && textWidth(`${characters.join('')}…`, size, weight) > room) characters.pop()
  return `${characters.join('')}…`
}
