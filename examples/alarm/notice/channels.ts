import { DeadLetter, RetryLater } from 'tidemark'
import type { Notice } from '../topics.js'

/** Tells a receiver, after a crash the same again: its id says so. It throws `DeadLetter` for never, `RetryLater` for when; all else is tried again. */
export type Channel = (notice: Notice, signal: AbortSignal) => Promise<void>
export type Channels = Readonly<Record<string, Channel>>

export function consoleChannel(print: (line: string) => void): Channel {
  return async ({ receiver, severity, text }) => print(`to ${receiver} [${severity}] ${text}\n`)
}

const answerMs = 10_000

/** POSTs a notice; a receiver that keeps to the idempotency key has each once. */
export function webhookChannel(url: string | URL, headers: Readonly<Record<string, string>> = {}): Channel {
  return async (notice, signal) => {
    const answer = await fetch(url, {
      method: 'POST',
      // Followed, most would become a GET without the notice.
      redirect: 'manual',
      headers: { ...headers, 'content-type': 'application/json', 'idempotency-key': notice.notice_id },
      body: JSON.stringify(notice),
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
    })
    await answer.body?.cancel()
    if (answer.ok) return
    const { status } = answer
    const after = Number(answer.headers.get('retry-after'))
    if (status === 429) throw new RetryLater((after > 0 ? Math.min(after, 3_600) : 10) * 1_000)
    // The notice is at fault. All else is the fault of the webhook, of its address, or of who may ask it: 401 with an old password.
    if ([400, 413, 422].includes(status)) throw new DeadLetter(`the webhook answered ${status}`)
    throw new Error(`the webhook answered ${status}`)
  }
}
