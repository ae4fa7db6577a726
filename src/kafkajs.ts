export { kafkajs, type KafkajsConfig } from './drivers/kafkajs/driver.js'
export type { KafkajsOptions } from './drivers/kafkajs/config.js'
export type { TlsProvider } from './drivers/kafkajs/tls-options.js'
export { kafkajsLegacy } from './topic/kafkajs-legacy.js'
