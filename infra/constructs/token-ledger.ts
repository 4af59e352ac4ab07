import { AttributeType, BillingMode, ProjectionType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import type { Attribute, ITable } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { FunctionContract } from '../../functions/contract/functions.ts';
import { INDEX_PROJECTION, LEDGER_INDEXES, LEDGER_TABLE } from '../../functions/contract/table.ts';
import type { KeyAttribute } from '../../functions/contract/table.ts';
import { GuardedKey, viaService } from './guarded-key.ts';
import { removalOf } from './removal.ts';

const READ = ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:Query'];
/** No Scan, and no DeleteItem, since rows end by their time to live. Every write is one conditional write of one row. */
const WRITE = [...READ, 'dynamodb:PutItem', 'dynamodb:UpdateItem'];

export interface TokenLedgerProps {
  readonly prefix: string;
  readonly environment: string;
  readonly retain: boolean;
  /** Name of a table that is there. */
  readonly imported: string | undefined;
}

/**
 * The table of leases and its two keys: one encrypts the table at rest, the other wraps the data keys that seal tokens
 * and the digest key, so that a copy of the table, even decrypted by DynamoDB, opens no token. CloudFormation names the table, so that one that
 * outlived its stack is not in the way of the next. One that is imported is a copy of such a table, encrypted with the same key.
 */
export class TokenLedger extends Construct {
  readonly table: Table | ITable;
  readonly sealKey: GuardedKey;
  readonly #tableKey: GuardedKey;
  readonly #environment: string;

  constructor(scope: Construct, id: string, props: TokenLedgerProps) {
    super(scope, id);
    const { prefix, environment, retain, imported } = props;
    this.#environment = environment;
    this.#tableKey = new GuardedKey(this, 'table-key', {
      alias: `${prefix}-table`,
      description: `Encrypts the ledger of ${prefix} at rest`,
      retain,
      // CloudFormation creates the table and operators restore it, both only through DynamoDB.
      accountVia: {
        service: 'dynamodb',
        actions: [
          'Encrypt',
          'Decrypt',
          'ReEncryptFrom',
          'ReEncryptTo',
          'GenerateDataKey',
          'DescribeKey',
          'CreateGrant',
        ],
      },
    });
    this.sealKey = new GuardedKey(this, 'seal-key', {
      alias: `${prefix}-seal`,
      description: `Wraps the data keys that seal the tokens of ${prefix}, and its digest key`,
      retain,
    });
    this.table = imported === undefined ? this.#made(retain) : Table.fromTableName(this, 'table', imported);
  }

  #made(retain: boolean): Table {
    const table = new Table(this, 'table', {
      partitionKey: attribute(LEDGER_TABLE.partitionKey),
      sortKey: attribute(LEDGER_TABLE.sortKey),
      timeToLiveAttribute: LEDGER_TABLE.timeToLive,
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      encryption: TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: this.#tableKey.key,
      deletionProtection: retain,
      removalPolicy: removalOf(retain),
    });
    for (const index of LEDGER_INDEXES) {
      const { name: indexName, partitionKey, sortKey } = index;
      const projectionType = ProjectionType[INDEX_PROJECTION];
      if (index.scope === 'local')
        table.addLocalSecondaryIndex({ indexName, sortKey: attribute(index.sortKey), projectionType });
      else
        table.addGlobalSecondaryIndex({
          indexName,
          partitionKey: attribute(partitionKey),
          ...(sortKey ? { sortKey: attribute(sortKey) } : {}),
          projectionType,
        });
    }
    return table;
  }

  /** Grants a role what the contract allows its function, and nothing more. */
  grant(role: IRole, may: FunctionContract['may']): void {
    if (may.ledger === 'none') return;
    const writes = may.ledger === 'write';
    role.addToPrincipalPolicy(
      new PolicyStatement({
        sid: 'Ledger',
        actions: writes ? WRITE : READ,
        resources: [this.table.tableArn],
      }),
    );
    role.addToPrincipalPolicy(
      new PolicyStatement({
        sid: 'LedgerIndexes',
        actions: ['dynamodb:Query'],
        resources: may.indexes.map((index) => `${this.table.tableArn}/index/${LEDGER_TABLE.indexes[index].name}`),
      }),
    );
    this.#tableKey.allow(
      role,
      writes ? ['Encrypt', 'Decrypt', 'GenerateDataKey', 'DescribeKey'] : ['Decrypt', 'DescribeKey'],
      viaService(this, 'dynamodb'),
    );
    // Only for keys of this environment and purpose: functions/ledger/data-keys.ts sends this context.
    for (const purpose of may.seal ? ['ledger-digest-key', 'ledger-data-key'] : ['ledger-digest-key'])
      this.sealKey.allow(role, writes ? ['GenerateDataKey', 'Decrypt'] : ['Decrypt'], {
        'kms:EncryptionContext:purpose': purpose,
        'kms:EncryptionContext:environment': this.#environment,
      });
  }
}

function attribute({ name, type }: KeyAttribute): Attribute {
  return { name, type: type === 'S' ? AttributeType.STRING : AttributeType.NUMBER };
}
