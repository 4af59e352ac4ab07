// Where the host lacks NSS, @sparticuz/chromium unpacks its own copy, if it believes to be in Lambda when it is loaded.
process.env['AWS_LAMBDA_JS_RUNTIME'] ??= 'nodejs22.x';
