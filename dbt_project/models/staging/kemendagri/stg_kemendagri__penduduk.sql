{{ stage('kemendagri__penduduk') }}
