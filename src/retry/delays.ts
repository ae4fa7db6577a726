/** Milliseconds, or text such as `30s`, `10m`, `2h`, `1d`. */
export type Delay = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const units: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
]

/** A timer that is set for longer fires at once. */
const longestMs = 2_147_483_647

/** In whole milliseconds; `null` when it is no delay. */
export function delayMs(delay: unknown): number | null {
  const ms = typeof delay === 'number' ? delay : textMs(delay)
  return ms !== null && Number.isSafeInteger(ms) && ms > 0 && ms <= longestMs ? ms : null
}

/** In the largest unit that it is whole in; stands in the name of its topic. */
export function delayText(ms: number): string {
  const [name, unitMs] = units.find(([, each]) => ms % each === 0) ?? ['ms', 1]
  return `${ms / unitMs}${name}`
}

function textMs(text: unknown): number | null {
  const [, count, name] = typeof text === 'string' ? (/^(\d{1,10})(ms|s|m|h|d)$/.exec(text) ?? []) : []
  const unit = units.find(([unitName]) => unitName === name)
  return unit === undefined || count === undefined ? null : Number(count) * unit[1]
}
