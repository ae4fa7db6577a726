import { Hono, type Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { secureHeaders } from 'hono/secure-headers'
import { z } from 'zod'
import { ConfigError, TidemarkError } from '../../errors.js'
import { NotThere } from '../../operations/places.js'
import { thrownText } from '../../runtime/thrown.js'
import { letterFilter } from '../letters/letter-filter.js'
import { lookAtLetters } from '../letters/letter-look.js'
import { lookAtRecord } from '../letters/record-look.js'
import { redriveRequest, Refused } from '../letters/redrives.js'
import { lookAtShed } from '../letters/shed-look.js'
import { readersOf, topicsView, type Diagnosis } from '../model/topic-view.js'
import { lookAtTransactions } from '../watch/transactions-look.js'
import { transactionsView } from '../model/transactions-view.js'
import type { Assets } from './assets.js'
import { guard, type GuardOptions } from './guard.js'
import { kept } from './kept.js'
import { watched } from './live.js'
import { lookAtReset, resetQuery } from '../watch/reset-look.js'
import { stream, type StreamParts } from './stream.js'

export interface AppParts extends StreamParts, GuardOptions {
  readonly assets: Assets
  readonly diagnose: () => Promise<Diagnosis>
  /** Topics that letters may be sent back to. */
  readonly redriveTo: readonly string[]
  /** Keys, values and all headers may be shown, of one record at a time. */
  readonly allowPayloads: boolean
  /** One line for each write, and for each record that was revealed. */
  readonly audit: (line: string) => void
}

/** What a page has to know before it asks for anything. */
export interface About {
  readonly redriveTo: readonly string[]
  readonly allowPayloads: boolean
}

const mostBodyBytes = 65_536
const place = z.strictObject({
  topic: z.string(),
  partition: z.coerce.number().int().min(0),
  offset: z.coerce.number().int().min(0),
})
const lettersQuery = letterFilter.extend({
  topic: z.string().min(1).max(249),
  since: z.coerce.number().int().min(0).optional(),
  until: z.coerce.number().int().min(0).optional(),
})
/** Settings of topics change seldom, and cost a request each. */
const diagnosisMs = 600_000
const transactionsMs = 2_000
const topicQuery = z.strictObject({ topic: z.string().min(1).max(249) })
const again = z.strictObject({ again: z.literal('yes').optional() })
const confirmation = z.strictObject({ confirm: z.string() })

/** Every route there is, behind the guard. */
export function appOf(parts: AppParts): Hono {
  const { assets, reading, redrives, audit, allowPayloads, redriveTo } = parts
  const { messaging, timeoutMs } = reading
  const diagnosis = kept(messaging.clock, diagnosisMs, async () => {
    return { found: await parts.diagnose(), at: messaging.clock.wallTime() }
  })
  const transactions = kept(messaging.clock, transactionsMs, () => lookAtTransactions(messaging, timeoutMs))
  const app = new Hono()
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
      xFrameOptions: 'DENY',
      strictTransportSecurity: false,
    }),
  )
  app.use(guard(parts))
  app.use(bodyLimit({ maxSize: mostBodyBytes, onError: (context) => context.text('too much', 413) }))
  app.use(async (context, next) => {
    await next()
    context.header('cache-control', 'no-store')
  })
  app.onError(answerError)
  app.notFound((context) => context.text('there is nothing here', 404))

  for (const [path, { type, text }] of assets) {
    app.get(path, (context) => context.body(text, 200, { 'content-type': type }))
  }
  app.get('/api/about', (context) => context.json({ redriveTo, allowPayloads } satisfies About))
  app.get('/api/live', (context) => stream(context, watched.parse(context.req.query()), parts))
  app.get('/api/topics', async (context) => {
    const { found, at } = await diagnosis(again.parse(context.req.query()).again === 'yes')
    return context.json(topicsView(found, at, parts.watch.sight.groups))
  })
  app.get('/api/readers', (context) => {
    return context.json(readersOf(topicQuery.parse(context.req.query()).topic, parts.watch.sight.groups))
  })
  app.get('/api/transactions', async (context) => {
    return context.json(transactionsView(await transactions(false), parts.watch.sight.groups))
  })
  app.get('/api/reset', async (context) =>
    context.json(await lookAtReset(reading, resetQuery.parse(context.req.query()))),
  )
  // Changes nothing, and is no more than one look after another.
  app.get('/api/look', (context) => {
    parts.watch.lookNow()
    return context.body(null, 204)
  })
  app.get('/api/shed', async (context) => context.json(await lookAtShed(reading)))
  app.get('/api/letters', async (context) => {
    const { topic, ...filter } = lettersQuery.parse(context.req.query())
    return context.json(await lookAtLetters(reading, topic, filter))
  })
  app.get('/api/record', async (context) => {
    return context.json(await lookAtRecord(reading, place.parse(context.req.query()), false))
  })
  app.post('/api/record', async (context) => {
    const where = place.parse(await context.req.json())
    if (!allowPayloads) {
      throw new Refused('not-revealed', 'keys and values are not shown: start the console with --allow-payloads')
    }
    audit(`revealed ${where.topic}-${where.partition} at ${where.offset}`)
    return context.json(await lookAtRecord(reading, where, true))
  })
  app.post('/api/redrives', async (context) => {
    return context.json(await redrives.plan(redriveRequest.parse(await context.req.json())))
  })
  app.post('/api/redrives/:id/run', async (context) => {
    const { confirm } = confirmation.parse(await context.req.json())
    const view = redrives.run(context.req.param('id'), confirm)
    audit(
      `redrive of ${view.topic} to ${view.to.join(', ')} begins, ${view.plan.redriven} letters, group ${view.group}`,
    )
    return context.json(view)
  })
  app.post('/api/redrives/:id/stop', (context) => {
    const view = redrives.stop(context.req.param('id'))
    audit(`redrive of ${view.topic} is stopped`)
    return context.json(view)
  })
  return app
}

/** A sentence for who asked; of defects no more than that there was one. */
function answerError(error: Error, context: Context): Response {
  const told = (status: 400 | 403 | 404 | 500 | 502) => {
    const code = error instanceof TidemarkError ? error.code : status === 400 ? 'not-understood' : 'defect'
    const message =
      status === 400 && !(error instanceof ConfigError) ? 'the request is not understood' : thrownText(error).message
    return context.json({ code, message: status === 500 ? 'the console failed' : message }, status)
  }
  if (error instanceof Refused) return told(403)
  if (error instanceof NotThere) return told(404)
  if (error instanceof z.ZodError || error instanceof SyntaxError || error instanceof ConfigError) return told(400)
  if (error instanceof TidemarkError) return told(502)
  return told(500)
}
