/** What nobody knows: never 0. */
export const unknown = '–'

export function countOf(value: number | null): string {
  return value === null ? unknown : value.toLocaleString('en-US')
}

const pad = (number: number) => String(number).padStart(2, '0')

/** By the clock of whoever looks; with the day, unless it is today. */
export function momentOf(ms: number, now = Date.now()): string {
  const at = new Date(ms)
  // A record may have any time, or none.
  if (!(ms >= 0) || Number.isNaN(at.getTime())) return unknown
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`
  const isToday = new Date(now).toDateString() === at.toDateString()
  return isToday ? time : `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${time}`
}

/** In UTC, to the second; what is no time, as a header may tell it, is not known. */
export function isoOf(ms: number): string {
  const at = new Date(ms)
  return Number.isNaN(at.getTime()) ? unknown : `${at.toISOString().slice(0, 19)}Z`
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countOf(count)} ${count === 1 ? one : many}`
}
