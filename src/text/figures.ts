/** How long it takes, in the two units that matter; `null` where nobody knows. */
export function timeText(ms: number | null): string | null {
  if (ms === null) return null
  if (ms < 1_000) return `${Math.round(ms)} ms`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return two(minutes, 'min', seconds % 60, 's')
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return two(hours, 'h', minutes % 60, 'min')
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

function two(large: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`
}

const sizes = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

export function sizeText(bytes: number): string {
  let [number, unit] = [bytes, 0]
  while (number >= 999.5 && unit < sizes.length - 1) [number, unit] = [number / 1_000, unit + 1]
  return `${number < 10 && unit > 0 ? Number(number.toFixed(1)) : Math.round(number)} ${sizes[unit]}`
}

export function momentText(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z')
}
