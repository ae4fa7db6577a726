export type { OauthSasl } from './auth/bearer.js'
export { mskIam, type AwsCredentials, type MskIamOptions } from './auth/msk-iam.js'
export { oauth, type OauthOptions } from './auth/oauth.js'
export { tlsFiles, type TlsFileOptions, type TlsFiles } from './auth/tls-files.js'
