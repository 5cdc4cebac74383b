# Puts and gets objects with the S3 encryption clients of the AWS SDK for Ruby.
#
# The standard input is a JSON object: the endpoints of S3 and of KMS, the region, the
# credentials for KMS, the bucket, and a list of operations, whose members are below. The
# standard output is a list with one result for each: of the body that was read, or the error.

require 'aws-sdk-kms'
require 'aws-sdk-s3'
require 'base64'
require 'json'
require 'openssl'

REQUEST = JSON.parse($stdin.read)

S3 = Aws::S3::Client.new(
  endpoint: REQUEST['s3'], region: REQUEST['region'], force_path_style: true, retry_limit: 0,
  credentials: Aws::Credentials.new('AKIAIOSFODNN7EXAMPLE', 'secret')
)
KMS = Aws::KMS::Client.new(
  endpoint: REQUEST['kms'], region: REQUEST['region'], retry_limit: 0,
  credentials: Aws::Credentials.new(REQUEST['access_key'], REQUEST['secret_key'])
)

# Keys has several wrapping keys, each with its material description. The first one wraps.
class Keys
  attr_reader :encryption_materials

  def initialize(operation, materials)
    @keys = operation['keys'].map { |k| [JSON.parse(k['description']), parse(operation, k['key'])] }
    first = operation['keys'].first
    @encryption_materials = materials.new(key: @keys.first.last, description: first['description'])
  end

  def key_for(description)
    _, key = @keys.find { |d, _| d == JSON.parse(description) }
    key or raise ArgumentError, 'no key has this material description'
  end

  private

  def parse(operation, encoded)
    bytes = Base64.strict_decode64(encoded)
    operation['wrap'] == 'rsa' ? OpenSSL::PKey::RSA.new(bytes) : bytes
  end
end

# client returns the encryption client that an operation asks for: of version 1 or 2, with
# keys that wrap by 'aes', 'rsa' or 'kms'.
def client(operation)
  second = operation['version'] == 2
  options = { client: S3 }
  options[:envelope_location] = :instruction_file if operation['file']
  options[:instruction_file_suffix] = operation['suffix'] if operation['suffix']
  if operation['wrap'] == 'kms'
    options.update(kms_key_id: operation['kms_key'], kms_client: KMS)
  else
    materials = second ? Aws::S3::EncryptionV2::Materials : Aws::S3::Encryption::Materials
    options[:key_provider] = Keys.new(operation, materials)
  end
  return Aws::S3::Encryption::Client.new(options) unless second

  Aws::S3::EncryptionV2::Client.new(
    options.merge(
      key_wrap_schema: { 'aes' => :aes_gcm, 'rsa' => :rsa_oaep_sha1, 'kms' => :kms_context }[operation['wrap']],
      content_encryption_schema: :aes_gcm_no_padding,
      security_profile: operation['legacy'] ? :v2_and_legacy : :v2
    )
  )
end

def run(operation)
  params = { bucket: REQUEST['bucket'], key: operation['key'] }
  params[:kms_encryption_context] = operation['context'] if operation['context']
  if operation['put']
    client(operation).put_object(params.merge(body: Base64.strict_decode64(operation['body'] || '')))
    return {}
  end
  # Debian's KMS client is too old for a Decrypt that names the key.
  any = operation['wrap'] == 'kms' && operation['version'] == 2
  params[:kms_allow_decrypt_with_any_cmk] = true if any
  body = client(operation).get_object(params).body.read
  { length: body.bytesize, sha256: Base64.strict_encode64(OpenSSL::Digest::SHA256.digest(body)) }
rescue StandardError => e
  { error: "#{e.class}: #{e.message}" }
end

puts JSON.generate(REQUEST['operations'].map { |o| run(o) })
