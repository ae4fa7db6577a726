import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { serviceNames } from '../../../examples/alarm/services.js'
import { projectRoot } from '../../support/source-tree.js'

interface Part {
  readonly image: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly command?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test?: string | readonly string[]; readonly disable?: boolean }
  readonly volumes?: readonly string[]
  readonly configs?: readonly { readonly source: string }[]
}
interface Compose {
  readonly services: Readonly<Record<string, Part>>
  readonly configs: Readonly<Record<string, { readonly content: string }>>
}

const folder = join(projectRoot, 'examples/alarm')
const read = (path: string): string => readFileSync(join(folder, path), 'utf8')
const compose = parse(read('compose.yaml'), { merge: true }) as Compose
const parts = Object.entries(compose.services)
const ours = parts.filter(([, { build }]) => build)
const probesPort = '9464'
const commandOf = ({ command = '' }: Part): readonly string[] => command.split(' ')

describe('compose.yaml of the alarm pipeline', () => {
  it('runs each service by its name, with options that it has, and no others', () => {
    expect(ours.map(([name]) => name).sort()).toEqual([...serviceNames].sort())
    const taken = [...read('main.ts').matchAll(/^ {6}'?([\w-]+)'?: \{ type: '/gm)].map(([, option]) => `--${option}`)
    for (const [name, part] of ours) {
      const [service, ...options] = commandOf(part)
      expect(service).toBe(name)
      expect(taken, name).toEqual(expect.arrayContaining(options.filter((one) => one.startsWith('--'))))
    }
  })

  it('sets only variables that a service reads, and names each of them', () => {
    const known = [...new Set([...read('services.ts').matchAll(/'(ALARM_[A-Z]+)'/g)].map(([, name]) => name))]
    expect(known.length).toBeGreaterThan(1)
    for (const [name, { environment = {} }] of ours)
      expect(known, name).toEqual(expect.arrayContaining(Object.keys(environment)))
    for (const name of known) expect(read('compose.yaml')).toContain(name)
  })

  it('speaks only to parts that are there, and starts behind those that say when they are ready', () => {
    for (const [name, part] of parts) {
      const hosts = [...commandOf(part), ...Object.values(part.environment ?? {})].flatMap((text) =>
        [...String(text).matchAll(/([\w.]+):\d{2,5}\b/g)].map(([, host = '']) => host),
      )
      const others = hosts.filter((host) => !/^(localhost|[\d.]+)$/.test(host))
      expect(Object.keys(compose.services), name).toEqual(expect.arrayContaining(others))
      for (const [needed, { condition }] of Object.entries(part.depends_on ?? {}).filter(([key]) => !/^\d/.test(key)))
        if (condition === 'service_healthy') expect(compose.services[needed]?.healthcheck?.test, needed).toBeDefined()
    }
    // `search` among them: it starts behind Elasticsearch.
    const waited = ours.map(([, part]) => Object.keys(part.depends_on ?? {}))
    expect(waited.every((needed) => needed.includes('kafka') && needed.includes('mariadb'))).toBe(true)
  })

  it('is watched by Prometheus where services say how they are', () => {
    const staying = ours.filter(([, { healthcheck }]) => healthcheck?.disable !== true)
    const { scrape_configs: jobs } = parse(compose.configs['prometheus']?.content ?? '') as {
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[]
    }
    const targets = jobs.flatMap((job) => job.static_configs.flatMap((one) => one.targets))
    expect(targets.sort()).toEqual(staying.map(([name]) => `${name}:${probesPort}`).sort())
    for (const [, part] of staying) {
      expect(commandOf(part)).toContain(`0.0.0.0:${probesPort}`)
      expect(String(part.healthcheck?.test)).toContain(`:${probesPort}/ready`)
    }
  })

  it('names versions and files that are there', () => {
    for (const [name, { image, build, volumes = [], configs = [] }] of parts) {
      if (!build) expect(image, name).toMatch(/:v?\d+\.\d+(\.\d+)?$/)
      for (const volume of volumes) expect(existsSync(join(folder, volume.split(':')[0] ?? '')), volume).toBe(true)
      for (const { source } of configs) expect(compose.configs[source]?.content, source).toBeTruthy()
    }
    const { context = '', dockerfile = '' } = ours[0]?.[1].build ?? {}
    const path = join(folder, context, dockerfile)
    const copied = [...readFileSync(path, 'utf8').matchAll(/^COPY (.*) \S+$/gm)].flatMap(([, from = '']) =>
      from.split(' '),
    )
    expect(copied.length).toBeGreaterThan(3)
    for (const one of copied) expect(existsSync(join(folder, context, one)), one).toBe(true)
    expect(dirname(path)).toBe(folder)
  })
})
