{{ stage('komdigi__desa_4g') }}
