import { addressOf, type Address } from './address.js'
import { alert } from './alert/alert.js'
import { converge } from './converge/converge.js'
import type { ConvergeBook } from './converge/converge-rules.js'
import { repartition } from './converge/repartition.js'
import { detect, type DetectProfile } from './detect/detect.js'
import type { RuleBook } from './detect/judge-batch.js'
import { consoleChannel, webhookChannel, type Channel } from './notice/channels.js'
import { notice, type NoticeOptions } from './notice/notice.js'
import { convergeBook, noDataRules, rules } from './rules.js'
import { Elastic } from './search/elastic.js'
import { search } from './search/search.js'
import type { Service, ServiceParts } from './service.js'

/** Asked by the service that needs it, as it starts. Set to nothing it is not set, as Compose has it. */
function addressIn(name: 'ALARM_WEBHOOK' | 'ALARM_ELASTIC'): Address | null {
  const text = process.env[name]?.trim() ?? ''
  if (text === '') return null
  if (/^https?:/.test(text) && URL.canParse(text)) return addressOf(text)
  throw new Error(`expected ${name} with an address, as http://host:port/path; it is none`)
}

function pager(): Channel {
  const webhook = addressIn('ALARM_WEBHOOK')
  return webhook ? webhookChannel(webhook.url, webhook.headers) : consoleChannel((line) => process.stdout.write(line))
}

function elastic(): Elastic {
  const { url, headers } = addressIn('ALARM_ELASTIC') ?? addressOf('http://localhost:9200')
  return new Elastic(`${url.href.replace(/\/$/, '')}/`, headers)
}

/** The services that read a topic, in the order in which records pass them: each is started, drained and killed by itself. */
export const services = {
  detect: (parts: ServiceParts & Partial<RuleBook> & { readonly profile?: DetectProfile }): Service =>
    detect({ rules, noDataRules, ...parts }),
  alert: (parts: ServiceParts): Service => alert(parts),
  repartition: ({
    convergeRules: rules = convergeBook.convergeRules,
    ...parts
  }: ServiceParts & Partial<ConvergeBook>): Service => repartition({ ...parts, rules }),
  converge: (parts: ServiceParts & Partial<ConvergeBook>): Service => converge({ ...convergeBook, ...parts }),
  notice: (parts: ServiceParts & Partial<Pick<NoticeOptions, 'channels' | 'perMinute'>>): Service =>
    notice({ channels: parts.channels ?? { pager: pager() }, ...parts }),
  search: (parts: ServiceParts): Service => search({ ...parts, elastic: elastic() }),
}

export type ServiceName = 'access' | keyof typeof services

export const serviceNames = ['access', ...Object.keys(services)] as readonly ServiceName[]
/** Those that need nothing but Kafka and a database. */
export const readerNames = ['detect', 'alert', 'repartition', 'converge', 'notice'] as const satisfies ServiceName[]
export type ReaderName = (typeof readerNames)[number]

/** What repartition reads and sends stands in one transaction of Kafka. */
export function profileOf(name: ServiceName, detectProfile: DetectProfile = 'cp'): DetectProfile {
  return name === 'repartition' ? 'transactional' : name === 'detect' ? detectProfile : 'cp'
}

/** What the group knows an instance of a service by; one database, one instance. */
export function instanceId(service: ServiceName, instance = '1'): string {
  return `${service}-${instance}`
}
