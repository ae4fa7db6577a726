import { alert } from './alert/alert.js'
import { converge } from './converge/converge.js'
import type { ConvergeBook } from './converge/converge-rules.js'
import { repartition } from './converge/repartition.js'
import { detect, type DetectProfile } from './detect/detect.js'
import type { RuleBook } from './detect/judge-batch.js'
import { consoleChannel, webhookChannel } from './notice/channels.js'
import { notice, type NoticeOptions } from './notice/notice.js'
import { convergeBook, noDataRules, rules } from './rules.js'
import { Elastic } from './search/elastic.js'
import { search } from './search/search.js'
import type { Service, ServiceParts } from './service.js'

const { ALARM_WEBHOOK: webhook, ALARM_ELASTIC: elastic = 'http://localhost:9200' } = process.env
const print = consoleChannel((line) => void process.stdout.write(line))
const channels = { pager: webhook === undefined ? print : webhookChannel(webhook) }

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
    notice({ channels, ...parts }),
  search: (parts: ServiceParts): Service => search({ ...parts, elastic: new Elastic(elastic) }),
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
