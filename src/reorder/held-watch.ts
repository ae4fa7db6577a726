import type { Clock } from '../runtime/clock.js'
import type { Telemetry } from '../telemetry/guard.js'
import { tell } from '../telemetry/tell.js'
import type { HeldRecords } from './held-records.js'
import type { ReorderBuffer } from './reorder-buffer.js'

/** A watermark that has stood for so long while records wait is told; when that has lasted it is a warning. */
const heldAfterMs = 1_000

/** Tells when records wait for a watermark that stands, and when it goes on. */
export class HeldWatch {
  readonly #buffer: ReorderBuffer<HeldRecords>
  readonly #clock: Clock
  readonly #telemetry: Telemetry
  /** Where the watermark stands, and since when. */
  #stands = { at: -Infinity, since: 0, isTold: false }

  constructor(
    buffer: ReorderBuffer<HeldRecords>,
    { clock, telemetry }: { readonly clock: Clock; readonly telemetry: Telemetry },
  ) {
    this.#buffer = buffer
    this.#clock = clock
    this.#telemetry = telemetry
  }

  /** @param isSomethingKept something waits in the order, or to be taken up */
  look(isSomethingKept: boolean): void {
    const buffer = this.#buffer
    const now = this.#clock.now()
    const { at, since, isTold } = this.#stands
    if (!isSomethingKept || buffer.readyRecords > 0 || buffer.watermark !== at) {
      this.#stands = { at: buffer.watermark, since: now, isTold: false }
      if (isTold) tell(this.#telemetry, { kind: 'watermark-moves', watermark: finite(buffer.watermark) })
    } else if (now - since >= heldAfterMs) {
      this.#stands.isTold = true
      const { slowest: heldBy, bufferedRecords: buffered, counts } = buffer
      const event = { watermark: finite(at), heldBy, buffered, clamped: counts.clamped }
      tell(this.#telemetry, { kind: 'watermark-held', ...event })
    }
  }
}

/** As others are told: `null` while nothing is known. */
export function finite(time: number): number | null {
  return Number.isFinite(time) ? time : null
}
